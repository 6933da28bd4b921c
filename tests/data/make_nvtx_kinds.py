"""Every kind of NVTX event, for nsys to record: see PROVENANCE.md."""

import threading

import nvtx


def main() -> None:
    nvtx.mark('{"many": "lines\nand \\"quotes\\""}', domain="tracer", category="manifest")
    crossing = nvtx.start_range("ends on another thread", domain="tracer", payload=3)

    def work() -> None:
        with nvtx.annotate("in a thread", domain="tracer", payload=0.5):
            nvtx.end_range(crossing)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    nvtx.end_range(nvtx.start_range("ends on its thread", domain="another"))
    with nvtx.annotate("outer"), nvtx.annotate("inner"), nvtx.annotate("inner", domain="another"):
        nvtx.mark("default domain")
    nvtx.push_range("never popped", domain="tracer")
    nvtx.start_range("never ended")


if __name__ == "__main__":
    main()

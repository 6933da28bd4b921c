"""A handful of kernels in two of our ranges, for nsys to record on a GPU: see PROVENANCE.md."""

import nvtx
import torch


def main() -> None:
    x = torch.randn(2048, 2048, device="cuda")
    y = x @ x
    torch.cuda.synchronize()
    torch.cuda.profiler.start()
    with nvtx.annotate("tracer/vision", domain="tracer"):
        for _ in range(5):
            y = x @ y
    with nvtx.annotate("tracer/prefill", domain="tracer"):
        torch.softmax(y, 0).cpu()
    torch.cuda.synchronize()
    nvtx.mark("tracer/manifest test", domain="tracer")
    torch.cuda.profiler.stop()


if __name__ == "__main__":
    main()

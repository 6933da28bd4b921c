"""What single parts say, and of what they say nothing."""

from __future__ import annotations

import msgspec
from support.chrome import call, kernel, launch, operator, span, trace_of
from support.manifests import as_metadata, latencies

from reports.text import render
from tracer.document.summary import Summary
from tracer.summarize import summarize


def _part(summary: Summary, title: str, width: int = 100) -> list[str]:
    """The lines below a heading, none where the heading is not there."""
    _, found, rest = render(summary, width=width).partition(f"\n\n{title}\n")
    return rest.split("\n\n")[0].splitlines() if found else []


def _idling() -> Summary:
    return summarize(trace_of(
        span("tracer/vision", 0, 50), span("tracer/prefill", 50, 150),
        launch(1, 1, 1), kernel("gemm", 2, 8, 1), launch(40, 1, 2), kernel("gemm", 42, 18, 2),
        call("cudaStreamSynchronize", 60, 30), launch(95, 1, 3), kernel("gemm", 100, 10, 3),
    ))  # fmt: skip


def test_stages_that_idle_say_why() -> None:
    assert _part(_idling(), "why the device waits") == [
        "stage       idle  share     host     sync   launch",
        "vision   32.0 µs  55.2%  30.0 µs        –  2.00 µs",
        "prefill  40.0 µs  80.0%  5.00 µs  30.0 µs  5.00 µs",
        "share: of busy and idle time together. host: the next op was not asked for yet. sync: the host",
        "waited for the device in place of asking. launch: asked for, not yet running.",
    ]


def test_a_device_that_hardly_waits_and_a_cpu_say_nothing_of_waiting() -> None:
    busy = [
        span("tracer/vision", 0, 900),
        launch(1, 1, 1),
        launch(3, 1, 2),
        kernel("k", 5, 500, 1),
        kernel("k", 508, 500, 2),
    ]
    assert not _part(summarize(trace_of(*busy)), "why the device waits")
    late = [span("tracer/vision", 0, 900), operator("aten::mm", 1, 2), operator("aten::mm", 100, 2)]
    assert not _part(summarize(trace_of(*late)), "why the device waits")


def test_of_very_many_devices_those_that_worked_most_have_rows() -> None:
    found = summarize(trace_of(*(kernel("k", 10, 5 + number, number, device=number) for number in range(70))))
    part = _part(found, "devices")
    assert len([line for line in part if line[:1].isdigit()]) == 64
    assert (part[1].split()[0], part[64].split()[0]) == ("6", "69")
    assert "6 more devices: --top 70." in " ".join(part)
    assert "device 7 and 62 more" in " ".join(render(found).split())


def test_several_devices_have_a_row_each_and_one_has_none() -> None:
    work = [
        launch(1, 1, 1),
        kernel("k", 10, 5, 1),
        kernel("k", 30, 5, 1),
        launch(2, 1, 2),
        kernel("k", 12, 50, 2, device=1),
    ]
    assert _part(summarize(trace_of(*work)), "devices")[:3] == [
        "device  ops  device time     busy     idle  share",
        "0         2      10.0 µs  10.0 µs  15.0 µs  60.0%",
        "1         1      50.0 µs  50.0 µs     0 ns   0.0%",
    ]
    named = summarize(trace_of(*work, deviceProperties=[{"id": 0, "name": "Large"}, {"id": 1, "name": "Small"}]))
    assert [line.split()[:2] for line in _part(named, "devices")[1:3]] == [["0", "Large"], ["1", "Small"]]
    assert not _part(summarize(trace_of(*work[:3])), "devices")


def test_ranges_of_a_cpu_trace_have_times() -> None:
    trace = trace_of(span("forward", 0, 100), operator("aten::mm", 12, 8), operator("aten::mm", 200, 8))
    assert _part(summarize(trace), "ranges") == [
        "name     count    host  ops     self  share",
        "forward      1  100 µs    1  8.00 µs  50.0%",
        "Operators by the ranges around their beginning; an op counts for every range that encloses it. host:",
        "the ranges on the CPU.",
    ]


def test_each_stages_share_of_the_request_stands_below_its_latency() -> None:
    trace = trace_of(span("tracer/vision", 0, 9), tracer=as_metadata([latencies(30)]))
    lines = _part(summarize(trace), "latency")
    (shares,) = [line for line in lines if line.startswith("share ")]
    assert shares.split() == ["share", "0.8%", "1.6%", "24.4%", "40.7%", "32.5%"]
    assert "share: of the request." in " ".join(lines)


def test_copies_that_dominate_are_said_and_those_that_do_not_are_not() -> None:
    copies = [launch(1, 1, 1), kernel("Memcpy HtoD (Pageable -> Device)", 2, 90, 1, cat="gpu_memcpy")]
    small = [launch(3, 1, 2), kernel("gemm", 100, 10, 2)]
    large = [launch(3, 1, 2), kernel("gemm", 100, 91, 2)]
    assert "\n90.0% of the device time is copying and filling memory\n" in render(summarize(trace_of(*copies, *small)))
    assert "copying and filling" not in render(summarize(trace_of(*copies, *large)))
    assert "copying and filling" not in render(summarize(trace_of(operator("aten::copy_", 1, 9))))


def test_the_header_says_by_what_the_stages_were_found() -> None:
    assert "\nstages: by the ranges that tracer record writes\n" in render(_idling())
    pattern = msgspec.structs.replace(_idling(), trace=msgspec.structs.replace(_idling().trace, markers="pattern"))
    assert "\nstages: by --marker\n" in render(pattern)
    assert "stages: by" not in render(summarize(trace_of(span("forward", 0, 9), kernel("k", 1, 2))))


def test_the_header_says_that_weights_are_random_and_says_nothing_of_others() -> None:
    def said(weights: str) -> str:
        metadata = as_metadata([latencies()])
        metadata["model"]["weights"] = weights
        return render(summarize(trace_of(span("tracer/vision", 0, 9), tracer=metadata)))

    assert "\nrandom weights: " in said("random")
    assert "random weights" not in said("checkpoint")


def test_decode_steps_say_whose_time_they_are_and_tokens_between_them_are_another() -> None:
    steps = [span("tracer/decode#1", 0, 20), span("tracer/decode#2", 30, 20)]
    on_device = summarize(
        trace_of(*steps, launch(1, 1, 1), kernel("k", 2, 4, 1), launch(31, 1, 2), kernel("k", 32, 8, 2))
    )
    assert _part(on_device, "decode tokens")[0] == "2 steps · device time · p50 4.00 µs · p90 8.00 µs · p99 8.00 µs"
    on_cpu = summarize(trace_of(*steps, operator("aten::mm", 2, 3), operator("aten::mm", 32, 3)))
    assert _part(on_cpu, "decode tokens")[0] == "2 steps · operator time · p50 3.00 µs · p90 3.00 µs · p99 3.00 µs"
    neither = summarize(trace_of(*steps))
    assert _part(neither, "decode tokens")[0] == "2 steps · time on the host · p50 20.0 µs · p90 20.0 µs · p99 20.0 µs"


def test_one_decode_step_has_one_time_and_no_course() -> None:
    one = summarize(trace_of(span("tracer/decode#1", 0, 20), launch(1, 1, 1), kernel("k", 2, 4, 1)))
    assert _part(one, "decode tokens") == [
        "1 step · device time 4.00 µs",
        "a token: 1 launch · 1 kernel · 0 waits for the device",
    ]


def test_many_findings_that_one_reason_keeps_from_being_asked_stand_behind_it() -> None:
    decode = [span("tracer/decode#1", 200, 100), call("cudaGraphLaunch", 210, 5, 2)]
    lost = summarize(trace_of(span("tracer/prefill", 0, 100), launch(10, 5, 1), kernel("k", 20, 9, 1), *decode))
    first, *rest = _part(lost, "not answered", width=1000)
    assert first.startswith("• device, busy and idle time of decode, and ")
    assert " findings: 1 of 1 cudaGraphLaunch has no device op" in first
    assert rest[0].startswith("these findings: bottleneck-stage, ")
    assert len(rest) == 1


def test_a_few_findings_are_named_with_their_reason() -> None:
    steps = [(at, number) for number, at in enumerate(range(100, 1100, 100), start=1)]
    events = [span(f"tracer/decode#{number}", at, 60) for at, number in steps]
    events += [launch(at + 10, 1, number) for at, number in steps]
    off = summarize(trace_of(*events, *(kernel("gemm", at - 70, 5, number) for at, number in steps)))
    said = _part(off, "not answered", width=1000)[0]
    assert said.startswith("• why the device waits, finding launch-bound: the device's clock is off")

"""What holds of every gain, whatever was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.chrome import call, kernel, launch, span, trace_of
from support.findings import ADD, COST, GEMM, found, latencies, recorded, stage, waiting_steps
from support.manifests import sample
from support.rounds import rounds

from reports.text import render
from tracer.document.manifest import Latencies, Shape
from tracer.document.summary import Finding, Gain
from tracer.predict.whatif import Changes, predict
from tracer.summarize import Choices, summarize

if TYPE_CHECKING:
    from support.chrome import Event

PEAKS = Choices(peak_tflops=1, peak_gbs=2)
US = st.integers(1, 2000)


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[Event], dict[str, object]]:
    """Requests of any stages on one device or two, busy or idle, recorded whole or in part, of one input or several.

    With what any rule looks for, and latencies that may be far shorter.
    """
    events: list[Event] = [span("tracer/request#0", 0, 1_000_000)]
    at, number = 0.0, 0
    names, steps = draw(st.sets(st.sampled_from(["vision", "prefill"]))), draw(st.integers(0, 9))
    first, devices = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    for name in [*sorted(names), *[f"decode#{first + k}" for k in range(steps)]]:
        begin, gap, each = at, draw(st.integers(1, 60)), draw(st.integers(1, 60))
        for _ in range(draw(st.integers(1, 12))):
            number += 1
            kind = draw(st.sampled_from([GEMM, ADD]))
            events += [launch(at, 1, number), kernel(kind, at + 2, each, number, stream=draw(st.integers(7, 8)))]
            events[-1]["args"]["device"] = draw(st.integers(0, devices - 1))
            at += max(gap, 2)
        if draw(st.booleans()):
            events.append(call("cudaStreamSynchronize", at, each))
        at += each + 2
        if draw(st.booleans()):
            events += [span("tracer/encoder", begin, (at - begin) / share) for share in (1, 2)]
        events.append(span(f"tracer/{name}", begin, at - begin))
    samples = [sample(f"s{n}", visual=60, prompt=40, tokens=5) for n in range(draw(st.integers(0, 2)))]
    clean = [
        replace(latencies(draw(US), draw(US), draw(US)), sample=draw(st.integers(0, max(0, len(samples) - 1))))
        for _ in range(draw(st.integers(0, 3)))
    ]
    shape = Shape(batch_size=1, frames=5, visual_tokens=60, prompt_tokens=40, new_tokens=5)
    schedule = {"schedule": {"wait": 0, "warmup": 0, "active": 1, "repeat": 1}}
    return events, recorded(COST, clean, shape=shape, samples=samples, options=schedule)


@settings(deadline=None)  # nothing here is timed
@given(recordings())
def test_no_gain_exceeds_what_it_is_taken_from(made: tuple[list[Event], dict[str, object]]) -> None:
    events, metadata = made
    for finding in summarize(trace_of(*events, tracer=metadata), PEAKS).findings:
        if finding.gain is not None:
            assert 0 < finding.gain.time_ns <= finding.gain.of_ns, finding.id


def test_kernels_that_the_profiler_made_longer_than_a_run_save_no_more_than_the_run() -> None:
    small = stage("tracer/prefill", 0, 5, [GEMM, ADD] * 20)  # 400 us busy, half of them unfused
    finding = found("unfused-elementwise", *small, tracer=recorded(clean=[latencies(prefill_us=250)]))
    assert finding is not None
    assert finding.gain is not None
    assert (finding.gain.time_ns, finding.gain.of_ns) == (125_000, 750_002)


def test_less_work_for_a_device_that_mostly_waits_saves_nothing() -> None:
    late = stage("tracer/prefill", 0, 40, [GEMM, ADD] * 20)
    finding = found("unfused-elementwise", *late)
    assert finding is not None
    assert finding.gain is None


def test_waits_save_no_more_than_a_step_waits_without_a_profiler() -> None:
    for step_us, saved_us in ((95, 5), (200, 7 * 30 / 8)):
        metadata = recorded(clean=[latencies(step_us=step_us)])
        finding = found("sync-per-token", *waiting_steps(gap=30), tracer=metadata)
        assert finding is not None
        assert finding.gain is not None
        assert finding.gain.time_ns == 4 * 1000 * saved_us


def test_a_whole_that_is_partly_under_the_profiler_is_not_called_a_request() -> None:
    clean = Latencies(
        load_ns=0, preprocess_ns=0, vision_ns=0, prefill_ns=1000, decode_ns=[1000] * 2, step_tokens=[2] * 2
    )  # fmt: skip
    metadata = recorded(clean=[clean], stages=["prefill", "decode"])
    slow = [event for event in rounds([(1, 1), (1, 1)]) if event.get("cat") != "kernel"]
    late = [
        kernel("k", event["ts"] + 0.25, 1, event["args"]["correlation"])
        for event in slow
        if "correlation" in event.get("args", {})
    ]
    finding = next(
        one for one in summarize(trace_of(*slow, *late, tracer=metadata)).findings if one.id == "launch-bound"
    )
    assert finding.gain is not None
    assert finding.gain.of == "a request, partly under the profiler"


def test_a_finding_and_a_prediction_of_the_same_change_agree() -> None:
    summary = summarize(trace_of(*stage("tracer/vision", 0, 40, [GEMM] * 10)))
    gain = next(one.gain for one in summary.findings if one.id == "launch-bound")
    predicted = predict(summary, Changes(stages={}, launch_overhead=0))
    assert gain is not None
    assert gain.time_ns == predicted.now_ns - predicted.then_ns


@settings(deadline=None)  # nothing here is timed
@given(recordings())
def test_one_figure_is_a_request_on_the_whole_page_and_no_share_of_a_peak_is_above_it(
    made: tuple[list[Event], dict[str, object]],
) -> None:
    events, metadata = made
    summary = summarize(trace_of(*events, tracer=metadata), PEAKS)
    wholes = {one.gain.of_ns for one in summary.findings if one.gain is not None and one.gain.of == "a request"}
    assert len(wholes) <= 1
    if wholes and summary.latency is not None and all(time.clean for time in summary.budget):
        assert wholes == {summary.latency.request_ns}
    for row in summary.roofline.stages if summary.roofline else []:
        assert max(row.mfu or 0, row.mbu or 0) <= 1
        assert row.floor_ns is None or row.floor_ns <= row.step_ns
        assert bool(row.error) == (row.mfu is None)
        assert not (row.error and row.limited_by in ("compute", "memory", "kernels"))


@pytest.mark.parametrize("at_most", [True, False])
def test_a_gain_that_assumes_something_is_no_upper_bound_and_says_what_it_assumes(at_most: bool) -> None:
    gain = Gain(time_ns=1_000_000, of_ns=4_000_000, of="a request", basis="half of the tokens", at_most=at_most)
    one = Finding(id="x", severity="info", message="m", evidence={}, next_step="do it", gain=gain)
    text = render(msgspec.structs.replace(summarize(trace_of(kernel("k", 0, 1))), findings=[one]))
    expected = "saves up to 1.00 ms of 4.00 ms (a request): do it"
    if not at_most:
        expected = "saves 1.00 ms of 4.00 ms (a request), by half of the tokens: do it"
    assert expected in " ".join(text.split())

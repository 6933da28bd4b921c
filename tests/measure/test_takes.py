"""What one run of a stage takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from support.chrome import OTHER, kernel, launch, operator, span, trace_of
from support.manifests import MS, as_metadata
from support.rounds import rounds
from support.strategies import cpu_traces, gpu_traces

from tracer.charge.stages.find import find_stages
from tracer.charge.work import work_of
from tracer.compare.figures import TRACE, figures
from tracer.compare.gates import check_budgets, parse_budget
from tracer.document.manifest import Latencies, Shape
from tracer.measure.runs import runs_of
from tracer.measure.together import groups
from tracer.summarize import Choices, summarize

if TYPE_CHECKING:
    from support.chrome import Event

    from tracer.trace.columns import Trace

STEP_US = 10_000
SHAPES = {"Input Dims": [[4096, 4096], [4096, 4096]], "Input type": ["c10::Half"] * 2, "Concrete Inputs": ["", ""]}


def _parallel(devices: int, steps: int = 10) -> list[Event]:
    """Steps of a server back to back, each of which keeps all devices busy from its beginning to its end."""
    events, number = [], 0
    for k in range(steps):
        at = k * STEP_US
        events.append(span("execute_context_0(0)_generation_4(4)", at, STEP_US - 10))
        for device in range(devices):
            number += 1
            events.append(operator("aten::mm", at + 5 + 10 * device, 9, **SHAPES, **{"External id": number}))
            events += [launch(at + 6 + 10 * device, 3, number)]
            events.append(kernel("gemm", at + 20 + 10 * device, STEP_US - 40, number, device=device))
    return events


@pytest.mark.parametrize("devices", [1, 2, 4])
def test_a_step_on_several_devices_takes_the_time_that_passes(devices: int) -> None:
    summary = summarize(trace_of(*_parallel(devices)))
    (decode,) = summary.budget
    assert decode.devices == devices
    assert decode.step_ns == pytest.approx(10_000_000, rel=0.01)
    assert decode.busy_ns <= decode.step_ns
    assert figures(summary, TRACE)["tpot"] == pytest.approx(10_000_000, rel=0.01)
    assert check_budgets(summary, [parse_budget("tpot<=15ms")])[0].passed
    assert not check_budgets(summary, [parse_budget("tpot<=9ms")])[0].passed
    (stage,) = summary.stages
    assert stage.busy_ns == devices * 10 * (STEP_US - 40) * 1000  # of devices, as ever


def test_peaks_are_those_of_all_devices_that_work_in_a_run() -> None:
    mfu = {}
    for devices in (1, 2):
        roof = summarize(trace_of(*_parallel(devices)), Choices(shapes=True, peak_tflops=100, peak_gbs=3000)).roofline
        assert roof is not None
        (row,) = roof.stages
        mfu[devices] = row.mfu
        assert (row.devices, row.covered, roof.peak_tflops) == (devices, 1.0, 100)
    # Twice the work in the same time, by twice the devices.
    assert mfu[2] == pytest.approx(mfu[1], rel=0.01)


def test_devices_of_different_kinds_have_no_peak_in_common() -> None:
    named = [{"id": 0, "name": "NVIDIA H100 80GB HBM3"}, {"id": 1, "name": "NVIDIA A100-SXM4-80GB"}]
    for devices, known in ((1, True), (2, False)):
        roof = summarize(trace_of(*_parallel(devices), deviceProperties=named), Choices(shapes=True)).roofline
        assert roof is not None
        assert (roof.peak_tflops is not None) == known


def test_layers_on_one_device_after_the_other_take_as_long_as_both_and_wait_for_nobody() -> None:
    events = []
    for k in range(6):
        at = k * 1000
        events += [span(f"tracer/decode#{k + 1}", at, 990), launch(at + 1, 1, 2 * k + 1), launch(at + 3, 1, 2 * k + 2)]
        events += [kernel("a", at + 5, 490, 2 * k + 1), kernel("b", at + 500, 490, 2 * k + 2, device=1)]
    summary = summarize(trace_of(span("tracer/request#0", 0, 6000), *events))
    (decode,) = summary.budget
    assert decode.step_ns == pytest.approx(1_000_000, rel=0.01)
    assert decode.busy_ns == 980_000
    assert "launch-bound" not in {finding.id for finding in summary.findings}


def test_ranks_side_by_side_take_their_own_time_each() -> None:
    events = []
    for k in range(4):
        for rank, thread in ((0, 1), (1, OTHER)):
            at, number = 1000 * k, 10 * k + rank + 1
            events += [span(f"tracer/decode#{k + 1}", at, 990, tid=thread), launch(at + 1, 1, number, tid=thread)]
            events.append(kernel("k", at + 5, 990, number, device=rank))
    (decode,) = summarize(trace_of(*events)).budget
    assert (decode.devices, decode.busy_ns) == (1, 990_000)
    assert decode.step_ns == pytest.approx(1_000_000, rel=0.01)


@settings(deadline=None)  # nothing here is timed
@given(gpu_traces() | cpu_traces())
def test_no_run_takes_more_than_its_devices_together_or_less_than_the_busiest(trace: Trace) -> None:
    ranges = find_stages(trace)
    work = work_of(trace, ranges)
    runs = runs_of(ranges, work, None)
    shared = groups(work.stage, work.device)
    for place in range(len(runs)):
        takes = int(runs.together_busy_ns[place] + runs.together_idle_ns[place])
        charged = int(runs.busy_ns[place] + runs.idle_ns[place])
        assert 0 <= takes <= charged
        if not any(device in members for device in runs[place].devices for members in shared):
            assert takes == charged


def _marked(parts: int) -> list[Event]:
    """Four calls of the encoder of 10 ms in one request, whose stage is opened so many times around them."""
    events = [span("tracer/request#0", 0, 41_000)]
    for i in range(4):
        at = i * 10_000
        if i % (4 // parts) == 0:
            events.append(span("tracer/vision", at, 40_000 / parts))
        events += [operator("aten::mm", at + 5, 50, **SHAPES, **{"External id": i + 1}), launch(at + 10, 5, i + 1)]
        events.append(kernel("gemm", at + 20, 9_970, i + 1))
    return events


@pytest.mark.parametrize("parts", [1, 2, 4])
@pytest.mark.parametrize("recorded", [True, False])
def test_a_stage_opened_several_times_in_a_request_is_one_run_of_it(parts: int, recorded: bool) -> None:
    clean = [Latencies(load_ns=0, preprocess_ns=0, vision_ns=40 * MS, prefill_ns=0, decode_ns=[])] * 3
    nothing = Shape(batch_size=1, frames=0, visual_tokens=0, prompt_tokens=0, new_tokens=0)
    made = as_metadata(clean, profiled=clean[:1], stages=["vision"], shape=nothing)
    trace = trace_of(*_marked(parts), **({"tracer": made} if recorded else {}))
    summary = summarize(trace, Choices(shapes=True, peak_tflops=100, peak_gbs=3000))
    assert summary.roofline is not None
    (row,), (vision,), (stage,) = summary.roofline.stages, summary.budget, summary.stages
    assert (stage.calls, stage.recorded_runs, row.runs, vision.recorded, vision.runs) == (parts, 1, 1, 1, 1)
    assert row.mfu == pytest.approx(4 * 2 * 4096**3 / 100e12 / 40e-3, rel=0.01)  # 13.7 %
    assert vision.busy_ns == 4 * 9_970_000
    assert vision.step_ns == pytest.approx(40 * MS, rel=0.01)
    assert figures(summary, TRACE)["vision"] == pytest.approx(40 * MS, rel=0.01)


def test_the_same_stage_in_two_requests_is_two_runs() -> None:
    events = [span(f"tracer/request#{n}", n * 50_000, 41_000) for n in (0, 1)]
    for n, at in ((1, 0), (2, 20_000), (3, 50_000)):
        events += [span("tracer/vision", at, 10_000), launch(at + 10, 5, n), kernel("gemm", at + 20, 9_000, n)]
    (vision,) = summarize(trace_of(*events)).budget
    assert (vision.recorded, vision.busy_ns) == (2, 13_500_000)


def test_rounds_are_as_many_as_the_clean_pass_had_and_its_steps_are_none_of_the_targets() -> None:
    clean = Latencies(
        load_ns=0, preprocess_ns=0, vision_ns=0, prefill_ns=MS, decode_ns=[MS] * 6, step_tokens=[2] * 6
    )  # fmt: skip
    metadata = as_metadata(clean=[clean], stages=["prefill", "decode"])
    budget = {time.stage: time for time in summarize(trace_of(*rounds([(1, 1), (1, 1)]), tracer=metadata)).budget}
    assert [(budget[name].runs, budget[name].step_ns) for name in ("draft", "verify")] == [(6, 10_000), (6, 40_000)]
    assert (budget["decode"].step_ns, budget["decode"].clean) == (30_000, False)
    assert budget["decode"].runs == 4
    assert budget["prefill"].clean


def test_a_round_that_drafted_nothing_lacks_no_draft_and_one_outside_the_window_does() -> None:
    clean = Latencies(
        load_ns=0, preprocess_ns=0, vision_ns=0, prefill_ns=MS, decode_ns=[MS] * 3, step_tokens=[2] * 3
    )  # fmt: skip
    metadata = as_metadata(clean=[clean], stages=["prefill", "decode"])
    three = rounds([(1, 1), (1, 1), (0, 0)], mapping=5)
    without = [event for event in three if event["name"] not in ("tracer/draft#3", "tracer/map#3")]
    assert summarize(trace_of(*without, tracer=metadata)).coverage == []
    two = summarize(trace_of(*rounds([(1, 1), (1, 1)], mapping=5), tracer=metadata)).coverage
    assert [(one.stage, one.recorded_runs, one.of_runs) for one in two] == [
        ("draft", 2, 3), ("map", 2, 3), ("verify", 2, 3),
    ]  # fmt: skip

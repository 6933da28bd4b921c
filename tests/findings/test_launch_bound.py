from __future__ import annotations

import pytest
from support.chrome import Event, call, kernel, launch, operator, span, trace_of
from support.findings import GEMM, found, latencies, recorded, stage

from tracer.findings.launch_bound import FINDING
from tracer.summarize import summarize

ID = FINDING.id


def test_launches_that_come_late_are_found_and_early_ones_are_not() -> None:
    finding = found(ID, *stage("tracer/vision", 0, 40, [GEMM] * 10))
    assert finding is not None
    assert "vision waits for launches" in finding.message
    assert finding.gain is not None
    assert finding.gain.time_ns == pytest.approx(9 * 30_000, rel=0.01)
    assert found(ID, *stage("tracer/vision", 0, 5, [GEMM] * 10)) is None


@pytest.mark.parametrize(("gap", "raised"), [(23, False), (26, True)])
def test_half_of_the_time_on_the_device_is_the_threshold(gap: float, raised: bool) -> None:
    """Of a gap's idle time 2 us are between launch and start, the rest the host's: 48 % of 23 us, 54 % of 26."""
    assert (found(ID, *stage("tracer/vision", 0, gap, [GEMM] * 100)) is not None) == raised


@pytest.mark.parametrize("name", ["load", "preprocess"])
def test_the_device_waits_for_work_that_is_the_hosts_own(name: str) -> None:
    alone = stage(f"tracer/{name}", 0, 40, [GEMM] * 10)
    assert found(ID, *alone) is None
    finding = found(ID, *alone, *stage("tracer/vision", 500, 40, [GEMM] * 10, first=100))
    assert finding is not None
    assert list(finding.evidence["stages"]) == ["vision"]


def test_the_stage_that_loses_most_is_named_first_and_the_others_behind_it() -> None:
    short, long = stage("tracer/vision", 0, 40, [GEMM] * 5), stage("tracer/prefill", 500, 40, [GEMM] * 10, first=100)
    finding = found(ID, *short, *long)
    assert finding is not None
    assert finding.message.startswith("LLM prefill waits")
    assert finding.message.endswith("(vision too)")


@pytest.mark.parametrize(("clean_us", "raised"), [(150, False), (198, False), (202, True), (250, True)])
def test_idle_time_that_only_the_profiler_makes_is_not_launch_bound(clean_us: int, raised: bool) -> None:
    late = stage("tracer/vision", 0, 40, [GEMM] * 10)  # 100 us busy of 370
    metadata = recorded(clean=[latencies(vision_us=clean_us)])
    assert (found(ID, *late, tracer=metadata) is not None) == raised


def test_operators_of_a_cpu_are_not_launched() -> None:
    work = [operator("aten::mm", 40 * number, 10) for number in range(10)]
    assert found(ID, span("tracer/vision", 0, 400), *work) is None


def _dispatched(name: str, operators: bool = True, at: float = 0) -> list[Event]:
    """A stage of 361 us: ten launches of 1 us, nine of 20 us of operators, and the rest Python."""
    late = stage(f"tracer/{name}", at, 40, [GEMM] * 9, first=100)
    return late + [operator("aten::mm", at + 40 * number + 5, 20) for number in range(9 * operators)]


def test_the_layer_that_costs_most_is_named_with_what_each_remedy_saves_at_most() -> None:
    finding = found(ID, *_dispatched("vision"))
    assert finding is not None
    assert finding.message.endswith("; of the host's time 50% is operators, profiler and all")
    assert finding.evidence["host"] == {"vision": {"launch_ns": 9000, "dispatch_ns": 180_000, "python_ns": 172_000}}
    assert list(finding.evidence["saves"].values()) == [240_000, 9000, 180_000]  # no more than the device waits
    assert "fusing removes launches, up to 9.00 µs" in finding.next_step


def test_layers_are_scaled_to_what_a_run_takes_without_the_profiler() -> None:
    metadata = recorded(clean=[latencies(vision_us=300)] * 3, profiled=[latencies(vision_us=600)])
    finding = found(ID, *_dispatched("vision"), tracer=metadata)
    assert finding is not None
    assert finding.evidence["host"] == {"vision": {"launch_ns": 4500, "dispatch_ns": 90_000, "python_ns": 86_000}}
    assert "profiler" not in finding.message


def test_without_operators_no_layer_is_named() -> None:
    finding = found(ID, *_dispatched("vision", operators=False))
    assert finding is not None
    assert set(finding.evidence) == {"stages"}
    assert "layers" not in finding.next_step


@pytest.mark.parametrize(("gap_us", "otherwise"), [(1_000, False), (1_200, True), (20_000, True)])
def test_who_launches_once_in_a_millisecond_is_not_told_to_launch_less(gap_us: float, otherwise: bool) -> None:
    """As of a stage that reads a file, or sleeps, between two kernels."""
    work = [*stage("tracer/vision", 0, gap_us, [GEMM] * 9), operator("aten::mm", 5, 900)]
    finding = found(ID, *work)
    assert finding is not None
    assert finding.next_step.startswith("find out what the host does between its launches") == otherwise
    assert finding.message.startswith(f"vision waits for {'the host' if otherwise else 'launches'}: ")
    assert ("graphs" in finding.next_step) == (not otherwise)
    assert finding.gain is not None


def test_of_two_stages_graphs_save_nothing_of_the_one_that_hardly_launches() -> None:
    sleeping = stage("tracer/vision", 0, 5_000, [GEMM] * 3)
    work = [*sleeping, *_dispatched("prefill", at=50_000), operator("aten::mm", 5, 900)]
    finding = found(ID, *work)
    assert finding is not None
    assert finding.message.startswith("vision waits for the host")
    assert finding.evidence["saves"]["graphs_ns"] == 361_000  # all of prefill's
    assert "graphs remove launching, operators and Python, up to 361.00 µs" in finding.next_step


def _replays(*, graphs: bool) -> list[Event]:
    """Four steps of one replay or one launch, 10 us of work in 100."""
    events = []
    for step in range(4):
        at, name = 100 * step, "cudaGraphLaunch" if graphs else "cudaLaunchKernel"
        events += [span(f"tracer/decode#{step + 1}", at, 99), call(name, at + 80, 2, step + 1)]
        events += [kernel(f"k{part}", at + 83 + 5 * part, 5, step + 1) for part in range(2 if graphs else 1)]
    return events


def test_of_steps_that_replay_graphs_graphs_remove_nothing_more() -> None:
    replayed, launched = found(ID, *_replays(graphs=True)), found(ID, *_replays(graphs=False))
    assert replayed is not None
    assert replayed.next_step.startswith("capture the rest of a step too (inputs, sampling): its steps replay")
    assert "graphs remove" not in replayed.next_step
    assert launched is not None
    assert launched.next_step.startswith("launch less: CUDA graphs")


def test_without_stages_many_short_gaps_are_found_and_long_or_few_ones_are_not() -> None:
    late = stage("", 0, 40, [GEMM] * 40)[1:]
    finding = found(ID, *late)
    assert finding is not None
    assert finding.message.endswith("nothing asked for, 70% of its time, in 39 gaps of 28.00 µs on average")
    assert finding.next_step.startswith("launch less")
    assert finding.gain is not None
    assert (finding.gain.time_ns, finding.gain.of_ns) == (39 * 28_000, 1_570_000)
    assert found(ID, *stage("", 0, 40, [GEMM] * 30)[1:]) is None  # of 29
    assert found(ID, *stage("", 0, 20, [GEMM] * 40)[1:]) is None
    paused = [{**event, "ts": event["ts"] + 3_000 * (event["ts"] > 800)} for event in late]
    assert found(ID, *paused) is None


def test_without_stages_too_nothing_is_said_where_work_was_lost() -> None:
    late = stage("", 0, 40, [GEMM] * 40)[1:]
    summary = summarize(trace_of(*late, launch(5_000, 1, 999)))
    assert f"finding {ID}" in [one.what for one in summary.abstained]
    assert ID not in [one.id for one in summary.findings]

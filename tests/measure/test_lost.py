"""What is unknown where work was launched and not recorded, and what stays known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from msgspec import UNSET
from support.chrome import Event, call, document, kernel, launch, read_bytes, span, trace_of
from support.strategies import gpu_traces

from tracer.charge.stages.find import find_stages
from tracer.charge.work import work_of
from tracer.document.summary import Lost, LostOps, Summary
from tracer.measure import lost as words
from tracer.summarize import Choices, summarize, summarize_file
from tracer.trace.columns import Trace


def _steps(*missing: int, of: int = 4, graph: bool = False) -> list[Event]:
    """A prefill of one kernel, and steps of 100 us with a copy and a kernel, but for those that lack theirs."""
    name = "cudaGraphLaunch" if graph else "cudaLaunchKernel"
    events = [span("tracer/request#0", 0, 1000), span("tracer/prefill", 0, 90), launch(5, 5, 1000)]
    events.append(kernel("gemm", 20, 60, 1000))
    for k in range(1, of + 1):
        at = 100 * k
        events += [span(f"tracer/decode#{k}", at, 100), call("cudaMemcpyAsync", at + 1, 4, 2 * k)]
        copy = kernel("Memcpy HtoD", at + 6, 2, 2 * k, cat="gpu_memcpy", args={"bytes": 8})
        events += [copy, call(name, at + 10, 5, 2 * k + 1)]
        events += [] if k in missing else [kernel("gemm", at + 20, 60, 2 * k + 1)]
    return events


def _of(*missing: int, **kinds: bool) -> Summary:
    return summarize(trace_of(*_steps(*missing, **kinds)))


def test_a_stage_without_its_ops_has_no_device_busy_or_idle_time_and_no_kernels() -> None:
    summary = _of(1, 2, 3, 4)
    prefill, decode = summary.stages
    assert decode.lost == LostOps(launches=4, ops_missing=True)
    unknown = (decode.device_time_ns, decode.busy_ns, decode.idle_ns, decode.idle, decode.span_ns, decode.wall_ns)
    assert unknown == (None,) * 6
    assert (decode.kernels, decode.categories) == (None, None)
    assert (decode.counts.kernels, decode.counts.to_device_bytes, decode.counts.to_host_bytes) == (None, None, None)
    assert (prefill.lost, prefill.device_time_ns, prefill.busy_ns) == (UNSET, 60_000, 60_000)


def test_launches_waits_and_time_on_the_host_stay_known() -> None:
    _, decode = _of(1, 2, 3, 4).stages
    assert (decode.calls, decode.counts.launches, decode.cpu_ns, decode.ops) == (4, 8, 400_000, 4)
    _, replayed = _of(1, 2, 3, 4, graph=True).stages
    assert (replayed.counts.launches, replayed.counts.graphs) == (8, 4)


def test_the_twin_with_all_of_its_ops_has_all_of_its_figures() -> None:
    summary = _of()
    assert summary.lost is UNSET
    assert [(stage.lost, stage.device_time_ns) for stage in summary.stages] == [(UNSET, 60_000), (UNSET, 248_000)]
    assert all(token.lost is UNSET for token in summary.tokens)


def test_only_the_steps_that_lack_ops_are_unknown_and_figures_per_step_are_of_the_others() -> None:
    summary = _of(2)
    assert [token.device_time_ns for token in summary.tokens] == [62_000, None, 62_000, 62_000]
    assert [token.lost for token in summary.tokens] == [UNSET, LostOps(launches=1), UNSET, UNSET]
    assert summary.stages[1].device_time_ns is None
    time = next(one for one in summary.budget if one.stage == "decode")
    assert (time.busy_ns, time.recorded, time.left_out) == (62_000, 4, 1)
    assert summary.decoding is not None
    # Of the step behind it the idle time is unknown too: the lost kernel may have run before its first op.
    assert (summary.decoding.steps, summary.decoding.device_time_ns) == (2, 62_000)


def test_the_idle_time_that_lost_work_may_fill_is_unknown_and_the_rest_is_not() -> None:
    summary = _of(2)
    assert [token.idle_ns is None for token in summary.tokens] == [False, True, True, False]
    assert (summary.tokens[2].busy_ns, summary.tokens[2].lost) == (62_000, UNSET)
    assert (summary.device.idle_ns, summary.device.each[0].idle_ns) == (None, None)
    assert (summary.device.time_ns, summary.device.busy_ns) == (248_000, 248_000)
    assert _of().device.idle_ns is not None


def test_a_stage_behind_lost_work_keeps_its_device_time_but_not_its_idle_time() -> None:
    events = [
        span("tracer/vision", 0, 50), launch(1, 2, 1), kernel("v", 5, 10, 1), call("cudaGraphLaunch", 20, 5, 2),
        span("tracer/prefill", 60, 50), launch(61, 2, 3), kernel("p", 70, 10, 3),
    ]  # fmt: skip
    vision, prefill = summarize(trace_of(*events)).stages
    assert (vision.device_time_ns, vision.idle_ns) == (None, None)
    assert (prefill.lost, prefill.device_time_ns, prefill.busy_ns, prefill.idle_ns) == (UNSET, 10_000, 10_000, None)


def test_what_was_lost_is_counted_by_call_stage_and_step() -> None:
    found = _of(1, 3).lost
    assert isinstance(found, Lost)
    assert (found.launches, found.of_launches) == (2, 9)
    assert (found.by_call, found.of_calls) == ({"cudaLaunchKernel": 2}, {"cudaLaunchKernel": 5})
    assert (found.stages, found.steps, found.of_steps) == (["decode"], 2, 4)
    assert found.reason == "2 of 5 cudaLaunchKernel have no device op: what was launched there was not recorded"


GRAPH = [span("tracer/prefill", 0, 90), call("cudaGraphLaunch", 5, 5, 1), kernel("k", 20, 9, 1)]


@pytest.mark.parametrize(
    ("events", "advice"),
    [
        (_steps(3, graph=True), words.IN_GRAPHS),
        ([*_steps()[2:], launch(-90, 3, 90), launch(-80, 3, 91)], words.AT_FIRST),
        ([*_steps(), launch(490, 3, 90), launch(495, 3, 91)], words.AT_LAST),
        ([*GRAPH, call("cudaGraphLaunch", 490, 3, 90)], words.AT_LAST),
        ([*GRAPH, call("cudaGraphLaunch", -90, 3, 90)], words.IN_GRAPHS),
        (_steps(2), words.ANYWHERE),
        ([span("tracer/prefill", 0, 90), launch(5, 5, 1)], words.NO_OPS),
        ([*_steps(), *[{**launch(at, 3, 90 + at), "pid": 200} for at in (5, 150, 250)]], words.OF_ONE_PROCESS),
        ([*_steps(), *[{**launch(at, 3, 90 + at), "pid": 100} for at in (5, 150, 250)]], words.ANYWHERE),
    ],
)
def test_what_to_do_goes_by_where_it_was_lost(events: list[Event], advice: str) -> None:
    found = summarize(trace_of(*events)).lost
    assert isinstance(found, Lost)
    assert found.next_step == advice


def test_ops_without_a_time_are_no_sign_of_a_profiler_that_stopped_too_soon() -> None:
    events = [*_steps()[2:], launch(480, 3, 90), kernel("gemm", 0, 0, 90)]
    found = summarize(trace_of(*events)).lost
    assert isinstance(found, Lost)
    assert found.reason.startswith("1 of 6 cudaLaunchKernel has no device op with a usable time: ")
    assert found.next_step == words.UNTIMED


def test_of_a_range_around_lost_launches_the_device_time_is_unknown() -> None:
    events = [span("mine", 0, 50), span("yours", 60, 20), launch(1, 3, 1), launch(65, 3, 2), kernel("k", 70, 4, 2)]
    rows = {row.name: row for row in summarize(trace_of(*events)).ranges}
    mine, yours = rows["mine"], rows["yours"]
    assert (mine.device_time_ns, mine.projected_ns, mine.kernel_ns) == (None, None, None)
    assert (mine.lost, mine.cpu_ns) == (LostOps(launches=1), 50_000)
    assert (yours.device_time_ns, yours.lost) == (4_000, UNSET)


def test_a_device_that_was_not_recorded_at_all_leaves_no_operator_time_in_its_place() -> None:
    events = [span("tracer/prefill", 0, 90), launch(5, 5, 1)]
    summary = summarize(trace_of(*events))
    assert isinstance(summary.lost, Lost)
    assert (summary.lost.launches, summary.stages[0].device_time_ns) == (1, None)


def test_a_roofline_rests_on_no_stage_that_lacks_ops() -> None:
    summary = summarize(trace_of(*_steps(2)), Choices(shapes=True))
    assert summary.roofline is None
    assert "roofline of decode" in [one.what for one in summary.abstained]


@given(gpu_traces())
def test_nothing_but_what_lacks_ops_is_unknown_and_recorded_work_adds_up(trace: Trace) -> None:
    summary = summarize(trace)
    for row in (*summary.stages, *summary.tokens):
        assert (row.device_time_ns is None) == (row.busy_ns is None) == isinstance(row.lost, LostOps)
        assert row.idle_ns is None or row.busy_ns is not None
    if summary.lost is UNSET:
        assert None not in [row.idle_ns for row in (*summary.stages, *summary.tokens, summary.device)]
    work = work_of(trace, find_stages(trace))
    assert (summary.device.time_ns, summary.device.busy_ns) == (work.time_ns.sum(), work.busy_ns.sum())
    assert sum(stage.ops for stage in summary.stages) + summary.device.unattributed.ops == len(work)


# Its capture ended before the device had run what was in its queue.
CUT = {"nsight_h100_2gpu"}


def _whole(trace: Path) -> bool:
    return summarize_file(trace).lost is UNSET


def test_of_every_real_chrome_trace_each_launch_has_its_op(chrome_trace: Path) -> None:
    # One of them has no device ops at all, but no launches either.
    assert _whole(chrome_trace)


def test_of_every_real_nsight_export_each_launch_has_its_op(nsight_export: Path) -> None:
    assert _whole(nsight_export) is (nsight_export.stem not in CUT)


def test_of_a_nsight_recording_that_stopped_too_soon_the_advice_names_its_stop() -> None:
    trace = replace(trace_of(*_steps(), launch(490, 3, 90), launch(495, 3, 91)), format="nsight")
    found = summarize(trace).lost
    assert isinstance(found, Lost)
    assert found.next_step == words.AT_LAST_OF_NSIGHT


def test_where_the_file_breaks_off_the_rest_of_it_may_have_the_ops() -> None:
    whole = document(*_steps())
    torn = summarize(read_bytes(whole[: whole.rindex(b'{"ph"')])).lost
    lost = _of(4).lost
    assert isinstance(torn, Lost)
    assert isinstance(lost, Lost)
    assert (torn.launches, lost.launches) == (1, 1)
    assert (torn.next_step, lost.next_step) == (words.TORN, words.AT_LAST)


@pytest.mark.parametrize(
    ("of", "said"),
    [
        ({3: 2}, True),  # the third launch's kernel bears the second's number
        ({3: 2, 5: 4}, True),
        ({3: None}, False),  # lost
        ({3: 2, 5: None}, False),  # one of two can only be lost
    ],
)
def test_a_kernel_with_the_number_of_another_launch_is_not_called_lost_for_sure(
    of: dict[int, int | None], said: bool
) -> None:
    asked = [call("hipModuleLaunchKernel", 10 * at, 5, at) for at in range(1, 9)]
    numbers = {at: of.get(at, at) for at in range(1, 9)}
    ran = [kernel("mm", 10 * at + 5, 8, number) for at, number in numbers.items() if number is not None]
    lost = summarize(trace_of(span("tracer/prefill", 0, 200), *asked, *ran)).lost
    assert lost
    assert lost.launches == len(of)
    assert ("bears the number of another launch" in lost.reason) is said
    assert ("another release" in lost.next_step) is said

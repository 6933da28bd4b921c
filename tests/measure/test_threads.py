from __future__ import annotations

from dataclasses import replace

import pytest
from conftest import real_traces
from msgspec import UNSET
from support.chrome import OTHER, Event, call, frame, kernel, launch, module, operator, span, trace_of, write

from tracer.choices import Choices
from tracer.document.summary import MARKS, Abstained, HostThread, LostOps, Summary
from tracer.summarize import summarize, summarize_file


def _work(tid: int, first: int, count: int = 1) -> list[Event]:
    """Launches on a thread, each of a kernel of 10 us."""
    events: list[Event] = []
    for number in range(first, first + count):
        events += [launch(20 * number, 1, number, tid=tid), kernel("k", 20 * number + 2, 10, number)]
    return events


def _summary(*events: Event) -> Summary:
    return summarize(trace_of(*events))


def _told(summary: Summary) -> Abstained | None:
    return next((one for one in summary.abstained if one.what in ("stages", MARKS)), None)


def test_each_thread_that_launched_has_its_work() -> None:
    events = [operator("aten::mm", 0, 5), *_work(1, 1), *_work(OTHER, 2, 3)]
    assert _summary(*events).threads == [
        HostThread(process="100", thread="2", launches=3, ops=3, device_time_ns=30_000, ranges=0, silent=True),
        HostThread(process="100", thread="1", launches=1, ops=1, device_time_ns=10_000, ranges=0, silent=False),
    ]


def test_what_a_thread_launched_in_vain_counts_and_its_time_is_unknown() -> None:
    lost = [launch(500 + 10 * n, 1, 90 + n, tid=OTHER) for n in range(3)]
    threads = _summary(operator("aten::mm", 0, 5), *_work(1, 1), *lost).threads
    assert [(row.thread, row.launches, row.ops, row.device_time_ns) for row in threads] == [
        ("1", 1, 1, 10_000),
        ("2", 3, 0, None),
    ]
    assert (threads[0].lost, threads[1].lost) == (UNSET, LostOps(launches=3))


def test_where_frames_were_recorded_of_another_thread_nobody_is_told_to_record_frames() -> None:
    work = [operator("aten::mm", 0, 5, tid=OTHER), *_work(OTHER, 1, 3)]
    with_frames = _told(summarize(trace_of(frame("a.py(1): wait", 0, 99), *work, with_stack=1)))
    without = _told(_summary(*work))
    assert with_frames is not None
    assert without is not None
    assert ("with_stack" in without.next_step, "with_stack" in with_frames.next_step) == (True, False)
    assert with_frames.next_step.startswith("start the profiler in the thread that runs the model")


def test_of_frames_without_any_work_it_is_said_that_another_thread_worked() -> None:
    def said(*events: Event) -> list[str]:
        return [one.what for one in summarize(trace_of(frame("a.py(1): wait", 0, 99), *events, with_stack=1)).abstained]

    assert said() == ["what any thread did"]
    assert "what any thread did" not in said(operator("aten::mm", 0, 5))


def test_a_launch_of_a_graph_is_one_launch_of_many_ops() -> None:
    (row,) = _summary(launch(0, 1, 1), kernel("a", 5, 1, 1), kernel("b", 7, 1, 1)).threads
    assert (row.launches, row.ops) == (1, 2)


def test_a_profiler_that_saw_one_thread_is_told_by_what_the_other_one_lacks() -> None:
    told = _told(_summary(operator("aten::mm", 0, 5), *_work(OTHER, 1, 3)))
    assert told is not None
    assert told.reason.startswith(
        "thread 2 of process 100 launched 3 of 3 ops (30.00 µs), and the file has no operator"
    )
    assert "profile_all_threads=True" in told.next_step
    assert "not their Python frames" in told.next_step


def test_a_thread_that_a_profiler_wrote_under_two_numbers_is_no_silent_one() -> None:
    """A new thread that takes an ended one's place: its calls have that one's number, its operators have its own."""
    work = [event for number in (1, 2, 3) for event in _work(7, number)]

    def told(*events: Event) -> Abstained:
        found = _told(_summary(*events, *work))
        assert found is not None
        return found

    around = told(*(operator("aten::mm", 20 * number - 1, 5, tid=OTHER) for number in (1, 2, 3)))
    assert "the operators of thread 2, which launched nothing, lie around what they launched" in around.reason
    assert "profile_all_threads" not in around.next_step
    beside = told(*(operator("aten::mm", 20 * number + 5, 5, tid=OTHER) for number in (1, 2, 3)))
    assert "two numbers" not in beside.reason
    assert "profile_all_threads=True" in beside.next_step
    itself = told(*(operator("aten::mm", 20 * n - 1, 5, tid=OTHER) for n in (1, 2, 3)), *_work(OTHER, 4))
    assert "two numbers" not in itself.reason


def test_a_thread_with_operators_of_its_own_is_not_called_silent() -> None:
    summary = _summary(operator("aten::mm", 0, 5), operator("aten::mm", 0, 5, tid=OTHER), *_work(OTHER, 1, 3))
    assert [row.silent for row in summary.threads] == [False]
    told = _told(summary)
    assert told is not None
    assert "profile_all_threads" not in told.next_step


def test_a_file_in_which_nothing_but_calls_was_recorded_has_no_thread_that_is_less_so() -> None:
    summary = _summary(*_work(1, 1, 3), *_work(OTHER, 4, 3))
    assert [row.silent for row in summary.threads] == [None, None]
    told = _told(summary)
    assert told is not None
    assert told.reason.startswith("there is no range in the file")


def test_a_thread_that_only_waited_for_the_device_is_where_the_profiler_was_started() -> None:
    summary = _summary(call("cudaDeviceSynchronize", 900, 5, tid=3), *_work(1, 1, 3), *_work(OTHER, 4, 3))
    assert [row.silent for row in summary.threads] == [True, True]
    told = _told(summary)
    assert told is not None
    assert "thread 1 of process 100 and 1 other launched 6 of 6 ops" in told.reason
    assert "and thread 3, which waited for the device and launched nothing, ran none" in told.reason
    assert "profile_all_threads=True" in told.next_step


def test_one_that_launches_itself_or_waits_for_less_starts_no_profiler() -> None:
    for events in ([call("cudaDeviceSynchronize", 900, 5)], [call("cudaEventQuery", 900, 5, tid=3)]):
        assert [row.silent for row in _summary(*events, *_work(1, 1, 3)).threads] == [None]


def _beside_stages(*events: Event, any_thread: bool = False) -> Abstained | None:
    """Stages on one thread, and work that another launched, half of all."""
    staged = [span("tracer/prefill", 0, 30), operator("aten::mm", 1, 2), *_work(1, 1), *_work(OTHER, 2), *events]
    trace = trace_of(*staged)
    summary = summarize(replace(trace, operators=trace.cpu_ops), Choices(any_thread=any_thread))
    return next((one for one in summary.abstained if "other threads" in one.what), None)


def test_of_a_thread_beside_the_stages_nothing_says_whose_work_it_launched() -> None:
    told = _beside_stages()
    assert told is not None
    assert told.reason.startswith("thread 2 of process 100 launched 1 of 2 ops")
    assert "--any-thread" in told.next_step and "profile_all_threads=True" in told.next_step
    given = _beside_stages(any_thread=True)
    assert given is not None and "--any-thread gave it to the stages" in given.reason


def test_a_thread_beside_the_stages_that_has_operators_is_told_nothing() -> None:
    assert _beside_stages(operator("aten::mm", 40, 2, tid=OTHER)) is None


def test_two_models_whose_threads_the_profiler_did_not_see_are_told_what_to_switch_on() -> None:
    found = real_traces("two_models_both.json.gz")
    if not found:
        pytest.skip("TRACER_MORE_TRACES has no two_models_both.json.gz")
    summary = summarize_file(found[0])
    assert [(row.thread, row.silent) for row in summary.threads] == [("813701440", True), ("805308736", True)]
    told = _told(summary)
    assert told is not None and "thread 438, which waited for the device" in told.reason


def test_frames_of_another_thread_show_that_one_was_not_looked_at() -> None:
    trace = replace(trace_of(*_work(OTHER, 1, 3)), stacks=True)
    assert [row.silent for row in summarize(trace).threads] == [True]


def test_operators_are_read_for_it_where_a_launching_thread_has_nothing_else(tmp_path) -> None:  # type: ignore[no-untyped-def]
    events = [operator("aten::mm", 0, 5), frame("run.py(1): main", 0, 500), *_work(OTHER, 1, 3)]
    path = write(tmp_path / "trace.json", *events)
    assert [row.silent for row in summarize_file(path).threads] == [True]
    both = write(tmp_path / "both.json", *events, operator("aten::mm", 0, 5, tid=OTHER))
    assert [row.silent for row in summarize_file(both).threads] == [False]


def test_with_stages_frames_were_not_looked_for_and_no_thread_is_called_silent() -> None:
    trace = replace(trace_of(span("tracer/vision", 0, 5), *_work(OTHER, 1)), stacks=True)
    summary = summarize(trace)
    assert [row.silent for row in summary.threads] == [None]
    assert _told(summary) is None


def test_where_no_thread_has_a_stage_nothing_was_given_to_one() -> None:
    chosen = Choices(any_thread=True)
    assert summarize(trace_of(*_work(1, 1)), chosen).trace.choices == []
    assert summarize(trace_of(span("tracer/vision", 0, 5), *_work(1, 1)), chosen).trace.choices != []


def test_a_cpu_run_launches_nothing() -> None:
    assert _summary(operator("aten::mm", 0, 5)).threads == []


def _reason(*events: Event) -> str:
    found = _told(_summary(*events))
    assert found is not None
    return f"{found.reason}: {found.next_step}"


def test_each_kind_of_file_is_told_how_it_gets_stages() -> None:
    work = _work(1, 1)
    assert "('forward')" in _reason(span("forward", 0, 50), *work)
    assert "--marker prefill=REGEX" in _reason(span("forward", 0, 50), *work)
    assert "execute_new_0_cached_" in _reason(span("execute_new_1_cached_0", 0, 50), *work)
    assert "/start_profile" in _reason(span("gpu_model_runner: forward", 0, 50), *work)
    assert "--by module" in _reason(module("Conv2d_0", 0, 50), *work)
    assert "tracer.stage()" in _reason(*work)


def test_a_trace_with_stages_is_told_nothing_of_getting_some_nor_is_an_empty_one() -> None:
    assert _told(_summary(span("tracer/vision", 0, 50), *_work(1, 1))) is None
    assert _told(_summary()) is None


def test_a_real_recording_of_one_thread_names_the_thread_that_ran_the_model() -> None:
    """transformers' generate on a thread of its own, behind a streamer; the profiler was started on the main thread."""
    found = real_traces("hf_streamer_thread.json.gz")
    if not found:
        pytest.skip("TRACER_MORE_TRACES has no hf_streamer_thread.json.gz")
    summary = summarize_file(found[0])
    assert [(row.thread, row.ops, row.silent) for row in summary.threads] == [("1317017920", 2760, True)]
    told = _told(summary)
    assert told is not None
    assert "launched 2,760 of 2,760 ops" in told.reason

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.chrome import OTHER, call, frame, kernel, launch, trace_of, write

from tracer.trace.columns import Trace, Want
from tracer.trace.moments import open_at, waiting_moments
from tracer.trace.reader import read_source
from tracer.trace.source import Source

EVENTS = (
    frame("run.py(1): main", 0, 100),
    frame("run.py(9): step", 10, 20),
    frame("run.py(20): quick", 41, 2),
    frame("run.py(1): main", 0, 100, tid=OTHER),
    launch(12, 1, 1),
    kernel("k", 13, 1, 1),
    call("cudaStreamSynchronize", 50, 5),
)


def test_moments_are_those_of_calls_that_wait_by_their_thread() -> None:
    trace = trace_of(*EVENTS, call("cudaStreamSynchronize", 20, 5))
    assert {thread: times.tolist() for thread, times in waiting_moments(trace).items()} == {
        trace.threads[trace.calls.thread[0]]: [20_000, 50_000]
    }


def test_of_frames_those_are_read_that_were_open_then_on_that_thread(tmp_path: Path) -> None:
    moments = waiting_moments(trace_of(*EVENTS))
    with Source(write(tmp_path / "trace.json", *EVENTS)) as source:
        some, every = (read_source(source, Want.FRAMES, at=at) for at in (moments, None))
    assert (_names(some), len(every.frames)) == (["run.py(1): main"], 4)
    assert some.threads[some.frames.thread[0]] in moments


def _names(trace: Trace) -> list[str]:
    return [trace.strings[name] for name in trace.frames.name.tolist()]


@settings(max_examples=50)
@given(st.data())
def test_an_interval_holds_its_beginning_and_not_its_end(data: st.DataObject) -> None:
    time, thread = st.integers(0, 9), st.integers(0, 2)
    spans = data.draw(st.lists(st.tuples(time, time, thread), max_size=8))
    asked = data.draw(st.dictionaries(thread, st.lists(time, max_size=4)))
    threads = [("1", str(number)) for number in range(3)]
    start, end, on = (np.array([span[at] for span in spans], dtype=np.int64) for at in range(3))
    moments = {threads[number]: np.sort(np.array(times, dtype=np.int64)) for number, times in asked.items()}
    expected = [any(low <= one < high for one in asked.get(number, ())) for low, high, number in spans]
    assert open_at(start, end, on.astype(np.int32), threads, moments).tolist() == expected

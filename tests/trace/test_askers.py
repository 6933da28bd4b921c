from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.chrome import MAIN, OTHER, Event, document, kernel, launch, operator, read_bytes

from tracer.charge.intervals import Cover
from tracer.charge.operators import operators_of
from tracer.charge.stages.ranges import StageRanges
from tracer.charge.work import work_of_ops
from tracer.trace.chrome import askers
from tracer.trace.columns import Trace, Want

ASKED = Want.SUMMARY | Want.ASKERS | Want.DETAILS
SHAPE = {"Input Dims": [[1, 2]]}


def _read(monkeypatch: pytest.MonkeyPatch, many: int, *events: Event, want: Want = ASKED) -> Trace:
    monkeypatch.setattr(askers, "MANY", many)
    return read_bytes(document(*events), want)


def _names(trace: Trace) -> list[str]:
    return [trace.strings[name] for name in trace.cpu_ops.name.tolist()]


EVENTS = (
    operator("outer", 0, 100),
    operator("empty", 1, 2),
    operator("asks", 10, 10),
    operator("named", 30, 5, **{"External id": 9}),
    operator("first shape", 40, 5, **SHAPE),
    operator("other shape", 50, 5, **SHAPE),
    operator("aten::linear", 60, 5),
    operator("alone", 20, 1, tid=OTHER),
    launch(12, 1, 1),
    kernel("k", 13, 1, 1, args={"External id": 9}),
)


def test_of_many_operators_those_are_kept_that_tell_who_asked_where_any_was_open_or_what_stages_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trace = _read(monkeypatch, 0, *EVENTS)
    assert _names(trace) == ["outer", "asks", "named", "first shape", "aten::linear", "alone"]
    assert trace.details is not None
    assert len(trace.details.of_operator) == len(trace.details.shape) == 6
    assert not trace.had & Want.CPU_OPS


@pytest.mark.parametrize(
    ("called", "kept"), [((12,), ["outer", "asks"]), ((12, 30), ["outer", "middle", "asks"])], ids=["none", "one"]
)
@pytest.mark.parametrize("passed", [0, 1, 8])
def test_one_around_those_that_ask_is_kept_if_a_call_is_its_own(
    monkeypatch: pytest.MonkeyPatch, called: tuple[int, ...], kept: list[str], passed: int
) -> None:
    monkeypatch.setattr(askers, "PASSED", passed)
    spans = [operator("outer", 0, 100), operator("middle", 5, 50), operator("asks", 10, 10)]
    launches = [launch(at, 1, number) for number, at in enumerate(called, 1)]
    kernels = [kernel("k", at + 40, 1, number) for number, at in enumerate(called, 1)]
    names = _names(_read(monkeypatch, 0, *spans, *launches, *kernels))
    assert names == kept if passed else set(names) >= set(kept)  # where nothing is passed over, all around are kept


@pytest.mark.parametrize(
    ("many", "want", "events"),
    [(8, ASKED, EVENTS), (0, ASKED | Want.CPU_OPS, EVENTS), (0, ASKED, EVENTS[:-1])],
    ids=["few", "all asked for", "no work on a device"],
)
def test_else_all_are_kept(monkeypatch: pytest.MonkeyPatch, many: int, want: Want, events: tuple[Event, ...]) -> None:
    trace = _read(monkeypatch, many, *events, want=want)
    assert len(trace.cpu_ops) == 8
    assert trace.had & Want.CPU_OPS


@settings(max_examples=60)
@given(st.data())
def test_work_goes_by_the_same_operators_and_the_time_with_one_open_is_the_same(data: st.DataObject) -> None:
    time, thread, number = st.integers(0, 30), st.sampled_from([MAIN, OTHER]), st.integers(0, 4)

    def args(of: int) -> dict[str, Any]:
        return {"External id": of} if of else {}

    spans = data.draw(st.lists(st.tuples(time, time, thread, number), min_size=1, max_size=12))
    work = data.draw(st.lists(st.tuples(time, thread, number), min_size=1, max_size=6))
    events = [operator(f"op{row}", at, dur, tid, **args(of)) for row, (at, dur, tid, of) in enumerate(spans)]
    for row, (at, tid, of) in enumerate(work, 1):
        events += [launch(at, 1, row, tid=tid), kernel("k", at + 40, 1, row, args=args(of))]
    passed = data.draw(st.integers(0, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(askers, "PASSED", passed)
        both = [_read(patch, many, *events) for many in (0, 1000)]
    found = []
    for trace in both:
        of_work = operators_of(trace, work_of_ops(trace, StageRanges.none()))
        cover = [Cover.of(trace.cpu_ops.start_ns[own], trace.cpu_ops.end_ns[own]) for own in _by_thread(trace)]
        named = [trace.strings[trace.cpu_ops.name[row]] if row >= 0 else "" for row in of_work.row.tolist()]
        open_ns = [(one.start_ns.tolist(), one.end_ns.tolist()) for one in cover]
        found.append((named, of_work.by_id, of_work.wrong_ids, open_ns))
    assert found[0] == found[1]


def _by_thread(trace: Trace) -> list[Any]:
    return [np.flatnonzero(trace.cpu_ops.thread == thread) for thread in range(len(trace.threads))]

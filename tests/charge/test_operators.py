from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.chrome import OTHER, Event, kernel, launch, operator, span, trace_of

from reports.text import render
from tracer.charge.operators import Operators, operators_of
from tracer.charge.stages.ranges import StageRanges
from tracer.charge.work import work_of_ops
from tracer.summarize import Choices, summarize
from tracer.trace.columns import NO_CORRELATION, Trace, Want
from tracer.trace.reader import read_trace


def _operators(*events: Event) -> tuple[list[str], Operators]:
    trace = trace_of(*events)
    found = operators_of(trace, work_of_ops(trace, StageRanges.none()))
    return [trace.strings[trace.cpu_ops.name[row]] if row >= 0 else "" for row in found.row.tolist()], found


def _kernel(number: int, at: float, **args: Any) -> Event:
    return kernel(f"k{number}", at, 1, number, args=args)


def _id(key: str, value: object) -> dict[str, Any]:
    return {key: value}


ID = "External id"


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        (ID, 7, "aten::mm"),
        ("external id", 7, "aten::mm"),
        (ID, "7", "aten::mm"),
        (ID, 0, ""),
        (ID, -7, ""),
        (ID, 8, ""),
        ("External", 7, ""),
    ],
)
def test_a_launch_of_another_thread_belongs_to_the_operator_of_its_id(key: str, value: object, name: str) -> None:
    mm = operator("aten::mm", 0, 10, **_id(ID, 7))
    names, found = _operators(mm, launch(5, 1, 1, tid=OTHER), _kernel(1, 8, **_id(key, value)))
    assert names == [name]
    assert (found.by_id, found.wrong_ids) == (int(bool(name)), 0)


def test_the_id_may_stand_at_the_launch_or_be_all_there_is() -> None:
    call = launch(5, 1, 1, tid=OTHER)
    call["args"]["External id"] = 7
    mm = operator("aten::mm", 0, 10, **_id("external id", 7))
    names, found = _operators(mm, call, _kernel(1, 8), kernel("no launch", 50, 1, args=_id(ID, 7)))
    assert names == ["aten::mm", "aten::mm"]
    assert found.by_id == 2


def test_an_operator_open_on_the_launching_thread_counts_before_any_id() -> None:
    outer, inner = operator("aten::linear", 0, 10, **_id(ID, 7)), operator("aten::addmm", 2, 6, **_id(ID, 8))
    assert _operators(outer, inner, launch(5, 1, 1), _kernel(1, 8, **_id(ID, 7)))[0] == ["aten::addmm"]


def test_an_id_that_occurs_again_means_the_operator_open_at_the_launch() -> None:
    events = [operator(f"op{n}", 100 * n, 10, **_id(ID, 7)) for n in range(4)]
    for n in (2, 0, 3, 1):
        events += [launch(100 * n + 5, 1, n + 1, tid=OTHER), _kernel(n + 1, 100 * n + 8, **_id(ID, 7))]
    assert _operators(*events)[0] == ["op2", "op0", "op3", "op1"]


def test_ids_that_name_operators_which_were_not_open_are_not_believed() -> None:
    events = [span("tracer/prefill", 0, 200), operator("aten::detach", 0, 2, **_id(ID, 1))]
    events += [operator("aten::mm", 10, 90, **_id(ID, 2)), launch(95, 1, 1, tid=OTHER), _kernel(1, 110, **_id(ID, 2))]
    assert _operators(*events)[0] == ["aten::mm"]
    wrong = [*events, launch(150, 1, 2), _kernel(2, 155, **_id(ID, 1))]
    names, found = _operators(*wrong)
    assert names == ["", ""]
    assert (found.by_id, found.wrong_ids) == (0, 1)
    note = render(summarize(trace_of(*wrong), Choices(by="op")), width=200)
    assert "1 External id names an operator that was over, or not begun, by then." in note
    note = render(summarize(trace_of(*events), Choices(by="op")), width=200)
    assert "Of 1 op no operator was open there: theirs is the one of their External id." in note


def _elsewhere(trace: Trace) -> Trace:
    """The same trace, its calls made by a thread of their own."""
    nobody = np.full_like(trace.calls.thread, len(trace.threads))
    return replace(trace, threads=[*trace.threads, ("?", "?")], calls=replace(trace.calls, thread=nobody))


def test_ids_of_real_traces_say_what_nesting_says(chrome_trace: Path) -> None:
    trace = read_trace(chrome_trace, Want.SUMMARY | Want.CPU_OPS | Want.DETAILS)
    nested, named = (operators_of(one, work_of_ops(one, StageRanges.none())) for one in (trace, _elsewhere(trace)))
    if chrome_trace.name.startswith(("kineto_alexnet", "kineto_rank0")):
        assert not named.by_id  # PyTorch of 2023
        return
    assert (nested.by_id, nested.wrong_ids, named.wrong_ids) == (0, 0, 0)
    replayed = (nested.row < 0) | (named.row < 0)
    assert (nested.row[~replayed] == named.row[~replayed]).all()
    assert ((nested.row >= 0) == (named.row >= 0)).all()
    assert named.by_id == int((named.row >= 0).sum())


@pytest.mark.parametrize("own", [True, False])
def test_the_ids_of_calls_are_kept_where_an_op_has_none_of_its_own(own: bool) -> None:
    asked = launch(12, 1, 1) | {"args": {"correlation": 1, "External id": 9}}
    details = trace_of(
        operator("asks", 10, 10), asked, kernel("k", 30, 1, 1, args={"External id": 9} if own else {})
    ).details
    assert details is not None
    assert details.of_call.tolist() == [NO_CORRELATION if own else 9]

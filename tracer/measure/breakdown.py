"""Device time by something else than the stage alone: operator, module, layer, kernel, category or stream."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct, outermost, sum_by
from tracer.charge.operators import operators_of
from tracer.charge.spans import innermost_span
from tracer.document.errors import InputError
from tracer.document.names import ALL_STAGES
from tracer.document.summary import Breakdown, BreakdownRow
from tracer.kernels.categories import categorise
from tracer.trace.api import launches_graph
from tracer.trace.chrome.categories import MODULE_PREFIX
from tracer.trace.columns import Spans, Want

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.operators import Operators
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace

# By what it can be done, and what must be read for that.
NEEDS = {
    "kernel": Want.SUMMARY,
    "category": Want.SUMMARY,
    "stream": Want.SUMMARY,
    "op": Want.SUMMARY | Want.CPU_OPS | Want.DETAILS,
    "module": Want.SUMMARY | Want.MODULES,
    "layer": Want.SUMMARY | Want.MODULES,
}
GRAPH = "graph replay"
UNKNOWN = "launch not recorded"
NOTHING = {"op": "outside operators", "module": "outside modules", "layer": "outside layers"}
_NUMBERED = re.compile(r"(.*)_(\d+)")
_LAYER = re.compile(r"(?:Layer|Block)_\d+$")


def break_down(trace: Trace, ranges: StageRanges, work: Work, by: str) -> Breakdown:
    """Charge device time (a CPU trace's operators' own time) to stage and `by`, most time first.

    A module, layer or operator is the innermost one that was open on the launching thread when the work was launched.
    An operator may also be known by its id alone: see `operators`.
    Kernels of a replayed graph were launched when it was captured: they are said to be a graph's replay.

    Args:
        trace: with what `NEEDS` says of `by`.
        ranges: its stages.
        work: of the trace.
        by: a key of `NEEDS`.

    Raises:
        InputError: the trace has none of what is asked for.
    """
    if NEEDS[by] & Want.MODULES and not len(trace.modules):
        raise InputError(
            f"{trace.path}: no modules in it for --by {by}; record with with_modules=True (tracer record --with-stack)"
        )
    if NEEDS[by] & Want.CPU_OPS and not len(trace.cpu_ops):
        raise InputError(f"{trace.path}: no operators in it for --by {by}; record with ProfilerActivity.CPU")
    operators = operators_of(trace, work) if by == "op" and work.on_device else None
    names, key = _keys(trace, work, by, operators)
    # Both in one number: the stage is -1 where there is none.
    cell = (work.stage_code(ranges) + 1) * len(names) + key
    size = (len(ALL_STAGES) + 1) * len(names)
    count = np.bincount(cell, minlength=size)
    time_ns, busy_ns = sum_by(cell, work.time_ns, size), sum_by(cell, work.busy_ns, size)
    rows = [
        BreakdownRow(
            stage=ALL_STAGES[place // len(names) - 1] if place >= len(names) else "",
            name=names[place % len(names)],
            ops=int(count[place]),
            device_time_ns=int(time_ns[place]),
            busy_ns=int(busy_ns[place]),
        )
        for place in np.flatnonzero(count).tolist()
    ]
    order = {name: number for number, name in enumerate((*ALL_STAGES, ""))}
    rows.sort(key=lambda row: (order[row.stage], -row.device_time_ns, -row.ops, row.name))
    return Breakdown(
        by=by,
        rows=rows,
        by_external_id=0 if operators is None else operators.by_id,
        wrong_external_ids=0 if operators is None else operators.wrong_ids,
    )


def _keys(trace: Trace, work: Work, by: str, operators: Operators | None) -> tuple[list[str], I64]:
    """The different names, and the number of each op's."""
    if by == "stream":
        return _streams(trace, work)
    if by in ("kernel", "category"):
        labels = trace.strings if by == "kernel" else [""] * len(trace.strings)
        if by == "category":
            for name in distinct(work.name):
                labels[name] = categorise(trace.strings[name])
        return _numbered(labels, int64(work.name))
    spans = trace.cpu_ops if by == "op" else _layers(trace) if by == "layer" else trace.modules
    labels = trace.strings if by == "op" else [_short(name, layer=by == "layer") for name in trace.strings]
    labels = [*labels, NOTHING[by], GRAPH, UNKNOWN]
    nothing, graph, unknown = range(len(trace.strings), len(labels))
    key = np.full(len(work), unknown, dtype=np.int64)
    asked = work.asked
    if operators is None:
        open_span = innermost_span(spans, work.call_start_ns[asked], work.call_thread[asked])
        key[asked] = _names_of(spans, open_span, nothing)
    else:
        key[asked] = nothing
        known = np.flatnonzero(operators.row >= 0)
        key[known] = spans.name[operators.row[known]]
    # One more element, for the -1 of work without a call.
    replays = np.array([*(launches_graph(name) for name in trace.strings), False], dtype=np.bool_)
    key[replays[work.call_name]] = graph
    return _numbered(labels, key)


def _names_of(spans: Spans, chosen: I64, nothing: int) -> I64:
    names = np.append(spans.name, 0)  # for the -1 of nothing
    return int64(np.where(chosen >= 0, names[chosen], nothing))


def _numbered(labels: list[str], key: I64) -> tuple[list[str], I64]:
    """Number the labels that occur; equal ones are one."""
    used = distinct(key)
    names = sorted({labels[number] for number in used})
    number_of = {name: number for number, name in enumerate(names)}
    renumbered = np.zeros(len(labels), dtype=np.int64)
    for number in used:
        renumbered[number] = number_of[labels[number]]
    return names, renumbered[key]


def _streams(trace: Trace, work: Work) -> tuple[list[str], I64]:
    if not work.on_device:
        threads = [f"thread {thread}" for _, thread in trace.threads]
        return _numbered(threads, work.track)
    pairs = list(zip(work.device.tolist(), work.track.tolist(), strict=True))
    unique = sorted(set(pairs))
    number_of = {pair: number for number, pair in enumerate(unique)}
    return [f"device {device}, stream {stream}" for device, stream in unique], int64(
        [number_of[pair] for pair in pairs]
    )


def _layers(trace: Trace) -> Spans:
    """The modules that are numbered layers or blocks, the outermost where they are nested."""
    modules = trace.modules
    layer = np.array([_LAYER.search(name) is not None for name in trace.strings], dtype=np.bool_)
    rows = np.flatnonzero(layer[modules.name])
    found = [rows[:0]]
    for thread in distinct(modules.thread[rows]):
        own = rows[modules.thread[rows] == thread]
        found.append(own[outermost(modules.start_ns[own], modules.end_ns[own])])
    chosen = np.concatenate(found)
    return Spans(modules.start_ns[chosen], modules.end_ns[chosen], modules.name[chosen], modules.thread[chosen])


def _short(name: str, *, layer: bool) -> str:
    """`nn.Module: Linear_3` as the class, or of a layer with its number."""
    name = name.removeprefix(MODULE_PREFIX)
    numbered = _NUMBERED.fullmatch(name)
    return name if layer or numbered is None else numbered[1]

"""The launching thread's time inside stage ranges, by layer: calls into the device's runtime, operators, and the rest.

Each nanosecond of a range, without the ranges within it, is in one layer: the first of these that is open on its
thread. A wait for the device; a copy or fill; a launch; sleep, a wait for another thread, or time off the processor,
where the file tells it; an operator; else nothing but Python and the framework.
Calls that do none of this (allocating, recording events) are part of what they are called by.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import Cover, Nest, distinct, sum_by
from tracer.trace.api import launches, moves_bytes, synchronises
from tracer.trace.columns import Spans, Want

if TYPE_CHECKING:
    from tracer.arrays import I32, I64, Bools
    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import Trace


class Layer(IntEnum):
    """Where a nanosecond of the host is spent, the first that is open counting."""

    SYNC = 0
    COPY = 1
    LAUNCH = 2
    BLOCKED = 3
    DISPATCH = 4
    PYTHON = 5


# Those that are calls into the device's runtime.
CALLS = (Layer.SYNC, Layer.COPY, Layer.LAUNCH)


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers of each stage range.

    Attributes:
        time_ns: a row for each range, a column for each `Layer`; rows add up to the ranges' own time.
        told: of each range, whether operators of its thread were recorded; else what is not in calls is in PYTHON,
            although it may be either.
    """

    time_ns: I64
    told: Bools


@dataclass(frozen=True, slots=True)
class Pieces:
    """The time of one thread in which a stage range is the innermost, cut at the edges of ranges.

    Attributes:
        start_ns, end_ns: of each.
        range: the stage range it belongs to.
    """

    start_ns: I64
    end_ns: I64
    range: I64


def operators_known(trace: Trace) -> bool:
    """Whether the file was read for its operators; Nsight's have none."""
    return trace.operators is not None or bool(trace.had & (Want.CPU_OPS | Want.ASKERS))


def host_operators(trace: Trace) -> Spans:
    """The CPU operators, however they were read."""
    return trace.cpu_ops if trace.operators is None else trace.operators


def stopped(trace: Trace) -> Spans:
    """When threads are known to have slept, waited for others, or been off their processors."""
    return Spans.none() if trace.stopped is None else trace.stopped


def layers_of(trace: Trace, ranges: StageRanges) -> Layers:
    """Divide the time of each stage range.

    Args:
        trace: with its calls; operators count as far as they were read.
        ranges: its stages.
    """
    time_ns = np.zeros((len(ranges), len(Layer)), dtype=np.int64)
    told = np.zeros(len(ranges), dtype=np.bool_)
    kind, operators, held = kinds_of_calls(trace), host_operators(trace), stopped(trace)
    for thread in distinct(ranges.thread):
        pieces = pieces_of(ranges, thread)
        calls = np.flatnonzero(trace.calls.thread == thread)
        own = np.flatnonzero(operators.thread == thread)
        told[ranges.thread == thread] = len(own) > 0
        start, end = int64([]), int64([])
        covered = np.zeros(len(pieces.range), dtype=np.int64)
        for layer in Layer:
            if layer in CALLS:
                rows = calls[kind[calls] == layer]
                start, end = _and(start, trace.calls.start_ns[rows]), _and(end, trace.calls.end_ns[rows])
            elif layer is Layer.BLOCKED:
                rows = np.flatnonzero(held.thread == thread)
                start, end = _and(start, held.start_ns[rows]), _and(end, held.end_ns[rows])
            elif layer is Layer.DISPATCH:
                start, end = _and(start, operators.start_ns[own]), _and(end, operators.end_ns[own])
            last = layer is Layer.PYTHON
            length = pieces.end_ns - pieces.start_ns
            reached = length if last else Cover.of(start, end).within(pieces.start_ns, pieces.end_ns)
            time_ns[:, layer] += sum_by(pieces.range, int64(reached - covered), len(ranges))
            covered = int64(reached)
    return Layers(int64(time_ns), told)


def _and(one: I64, other: I64) -> I64:
    return int64(np.concatenate([one, other]))


def pieces_of(ranges: StageRanges, thread: int) -> Pieces:
    """Where on a thread which stage range is the innermost."""
    own = np.flatnonzero(ranges.thread == thread)
    start, end = ranges.start_ns[own], ranges.end_ns[own]
    edges = np.unique(np.concatenate([start, end]))
    owner = Nest.of(start, end).innermost(edges[:-1])
    held = np.flatnonzero(owner >= 0)
    return Pieces(edges[:-1][held], edges[1:][held], int64(own[owner[held]]))


def kinds_of_calls(trace: Trace) -> I64:
    """Of each host call its layer, one of CALLS; -1 of one that is part of what it is called by."""
    found = np.full(len(trace.strings) + 1, -1, dtype=np.int64)
    for name in distinct(trace.calls.name):
        text = trace.strings[name]
        if synchronises(text):
            found[name] = Layer.SYNC
        elif moves_bytes(text):
            found[name] = Layer.COPY
        elif launches(text):
            found[name] = Layer.LAUNCH
    return int64(found[trace.calls.name])


@dataclass(frozen=True, slots=True)
class Named:
    """The time of some spans in which they are the innermost of their layer, and no layer before theirs is open.

    Attributes:
        range: the stage range.
        layer: a `Layer`.
        name: index into the trace's strings; -1 of Python outside modules.
        time_ns: of each.
    """

    range: I64
    layer: I64
    name: I64
    time_ns: I64


def named_layers(trace: Trace, ranges: StageRanges) -> Named:
    """The same time as `layers_of`, by what is called: a row for each bit of it.

    Python goes by the innermost module, or function of transformers' generation, where these were read.
    """
    found = [_named_on(trace, ranges, thread) for thread in distinct(ranges.thread)]
    none = int64([])
    columns = [[getattr(one, name) for one in found] for name in ("range", "layer", "name", "time_ns")]
    return Named(*(int64(np.concatenate([none, *parts])) for parts in columns))


def _python(trace: Trace) -> Spans:
    both = (trace.modules, trace.generation)
    columns = [
        np.concatenate([getattr(one, name) for one in both]) for name in ("start_ns", "end_ns", "name", "thread")
    ]
    return Spans(*columns)


def _named_on(trace: Trace, ranges: StageRanges, thread: int) -> Named:
    pieces = pieces_of(ranges, thread)
    if not len(pieces.range):
        return Named(*(int64([]) for _ in range(4)))
    first, last = int(pieces.start_ns.min()), int(pieces.end_ns.max())
    spans: list[tuple[I64, I64, I32]] = []
    kind = kinds_of_calls(trace)
    for layer in CALLS:
        rows = np.flatnonzero((trace.calls.thread == thread) & (kind == layer))
        spans.append((trace.calls.start_ns[rows], trace.calls.end_ns[rows], trace.calls.name[rows]))
    for each in (stopped(trace), host_operators(trace), _python(trace)):
        rows = np.flatnonzero((each.thread == thread) & (each.end_ns > first) & (each.start_ns < last))
        spans.append((each.start_ns[rows], each.end_ns[rows], each.name[rows]))
    edges = np.concatenate([pieces.start_ns, pieces.end_ns, *(column for one in spans for column in one[:2])])
    edges = np.unique(np.clip(edges, first, last))
    piece = np.searchsorted(pieces.start_ns, edges[:-1], side="right") - 1
    inside = edges[:-1] < pieces.end_ns[piece]
    at, length, piece = edges[:-1][inside], np.diff(edges)[inside], piece[inside]
    layer_of, name_of = np.full(len(at), int(Layer.PYTHON)), np.full(len(at), -1, dtype=np.int64)
    for layer, (start, end, name) in reversed(list(zip(Layer, spans, strict=True))):
        row = Nest.of(start, end).innermost(at)
        open_there = row >= 0
        layer_of[open_there] = int(layer)
        name_of[open_there] = name[row[open_there]]
    return Named(int64(pieces.range[piece]), int64(layer_of), int64(name_of), int64(length))

"""The launching thread's time inside stage ranges, by layer: calls into the device's runtime, operators, and the rest.

Each nanosecond of a range, without the ranges within it, is in one layer: the first of these that is open on its
thread. A wait for the device; a copy or fill; a launch; sleep, a wait for another thread, or time off the processor,
where the file tells it; an operator; else nothing but Python and the framework.
Calls that do none of this (allocating, recording events) are part of what they are called by.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import ascending, coded, int64
from tracer.charge.intervals import PIECE, Cover, Nest, distinct, sum_by
from tracer.packed import kept, picked
from tracer.trace.api import launches, moves_bytes, synchronises
from tracer.trace.columns import Spans, Want

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.arrays import I8, I32, I64, Bools
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


# A thread's time is cut into so many parts at most; where, is read off the starts of one span in so many.
MOST_PARTS, SAMPLED = 16, 32
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
    host = _Host(trace)
    for thread in distinct(ranges.thread):
        told[ranges.thread == thread] = host.told(thread)
        for part in _parts(pieces_of(ranges, thread), host, thread):
            start, end, covered = int64([]), int64([]), np.zeros(len(part.pieces.range), dtype=np.int64)
            for layer, spans in zip(Layer, part.layers, strict=True):
                start, end = np.concatenate([start, spans.start_ns]), np.concatenate([end, spans.end_ns])
                reached = part.pieces.end_ns - part.pieces.start_ns
                if layer is not Layer.PYTHON:
                    reached = Cover.of(start, end).within(part.pieces.start_ns, part.pieces.end_ns)
                time_ns[:, layer] += sum_by(part.pieces.range, int64(reached - covered), len(ranges))
                covered = reached
    return Layers(int64(time_ns), told)


def pieces_of(ranges: StageRanges, thread: int) -> Pieces:
    """Where on a thread which stage range is the innermost."""
    own = np.flatnonzero(ranges.thread == thread)
    start, end = ranges.start_ns[own], ranges.end_ns[own]
    edges = ascending(np.concatenate([start, end]))
    owner = Nest.of(start, end).innermost(edges[:-1])
    held = np.flatnonzero(owner >= 0)
    return Pieces(edges[:-1][held], edges[1:][held], int64(own[owner[held]]))


def kinds_of_names(trace: Trace) -> I8:
    """Of each name of a host call its layer, one of CALLS; -1 of one that is part of what it is called by."""
    found = np.full(len(trace.strings) + 1, -1, dtype=np.int8)
    for name in distinct(trace.calls.name):
        text = trace.strings[name]
        if synchronises(text):
            found[name] = Layer.SYNC
        elif moves_bytes(text):
            found[name] = Layer.COPY
        elif launches(text):
            found[name] = Layer.LAUNCH
    return found


class _Host:
    """What a host did, of which a part at a time is looked at: of all at once each step takes as much as the trace.

    Args:
        trace: with its calls, and operators as far as they were read.
        modules: whether to look at modules and functions of transformers' generation too.
    """

    def __init__(self, trace: Trace, *, modules: bool = False) -> None:
        calls = trace.calls
        self._kind = kinds_of_names(trace)
        self._calls = Spans(*(kept(calls, name) for name in ("start_ns", "end_ns", "name", "thread")))
        self._stopped, self._operators = stopped(trace), host_operators(trace)
        self._python = _python(trace) if modules else Spans.none()

    def told(self, thread: int) -> bool:
        """Whether operators of a thread were recorded."""
        return bool((self._operators.thread == thread).any())

    def cuts(self, thread: int) -> I64:
        """Times between which there is about as much to look at."""
        count, some = 0, [int64([])]
        for spans in (self._calls, self._stopped, self._operators, self._python):
            some.append(spans.start_ns[::SAMPLED][spans.thread[::SAMPLED] == thread])
            count += int(np.count_nonzero(spans.thread == thread))
        sample, parts = np.sort(np.concatenate(some)), min(MOST_PARTS, count // PIECE)
        return int64(sample[np.arange(1, parts) * len(sample) // max(parts, 1)])

    def during(self, own: int, begin_ns: int, until_ns: int) -> list[Spans]:
        """Of each `Layer` what was open on a thread between two times."""

        def near(start_ns: I64, end_ns: I64, thread: I32) -> Bools:
            return np.asarray((thread == own) & (start_ns < until_ns) & (end_ns > begin_ns), dtype=np.bool_)

        names = ("start_ns", "end_ns", "thread")
        every = (self._calls, self._stopped, self._operators, self._python)
        calls, *others = (picked(spans, near, names) for spans in every)
        return [*(calls[self._kind[calls.name] == layer] for layer in CALLS), *others]


def _python(trace: Trace) -> Spans:
    both, columns = (trace.modules, trace.generation), ("start_ns", "end_ns", "name", "thread")
    return Spans(*(np.concatenate([getattr(one, name) for one in both]) for name in columns))


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a thread's time.

    Attributes:
        pieces: of the stage ranges, as far as they lie in it.
        layers: of each `Layer` what was open then.
    """

    pieces: Pieces
    layers: list[Spans]


def _parts(pieces: Pieces, host: _Host, thread: int) -> Iterator[_Part]:
    """The parts of a thread's time; every nanosecond of its pieces is in one."""
    if not len(pieces.range):
        return
    first, last = pieces.start_ns[0], pieces.end_ns[-1]
    cuts = ascending(np.concatenate([[first, last], host.cuts(thread).clip(first, last)]))
    for begin, end in pairwise(cuts.tolist()):
        own = np.flatnonzero((pieces.start_ns < end) & (pieces.end_ns > begin))
        if len(own):
            start_ns, end_ns = pieces.start_ns[own].clip(begin), pieces.end_ns[own].clip(None, end)
            held = Pieces(int64(start_ns), int64(end_ns), pieces.range[own])
            yield _Part(held, host.during(thread, begin, end))


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
    """The same time as `layers_of`, by what is called: the same may have several rows.

    Python goes by the innermost module, or function of transformers' generation, where these were read.
    """
    host, names = _Host(trace, modules=True), len(trace.strings) + 1
    found = [
        _summed(_bits(part), names)
        for thread in distinct(ranges.thread)
        for part in _parts(pieces_of(ranges, thread), host, thread)
    ]
    none = int64([])
    columns = [[getattr(one, name) for one in found] for name in ("range", "layer", "name", "time_ns")]
    return Named(*(int64(np.concatenate([none, *parts])) for parts in columns))


def _bits(part: _Part) -> Named:
    """The time of a part, cut where anything begins or ends."""
    pieces, layers = part.pieces, part.layers
    first, last = pieces.start_ns[0], pieces.end_ns[-1]
    edges = [pieces.start_ns, pieces.end_ns, *(side for spans in layers for side in (spans.start_ns, spans.end_ns))]
    edge = ascending(np.concatenate(edges).clip(first, last))
    piece = np.searchsorted(pieces.start_ns, edge[:-1], side="right") - 1
    inside = edge[:-1] < pieces.end_ns[piece]
    at, length, piece = edge[:-1][inside], np.diff(edge)[inside], piece[inside]
    layer_of, name_of = np.full(len(at), int(Layer.PYTHON)), np.full(len(at), -1, dtype=np.int64)
    for layer, spans in reversed(list(zip(Layer, layers, strict=True))):
        row = Nest.of(spans.start_ns, spans.end_ns).innermost(at)
        open_there = row >= 0
        layer_of[open_there] = int(layer)
        name_of[open_there] = spans.name[row[open_there]]
    return Named(pieces.range[piece], int64(layer_of), name_of, int64(length))


def _summed(bits: Named, names: int) -> Named:
    """One row for all bits of the same range, layer and name."""
    # All in one number; a name may be -1.
    keys, key = coded((bits.range * len(Layer) + bits.layer) * names + bits.name + 1)
    where, name = np.divmod(keys, names)
    owner, layer = np.divmod(where, len(Layer))
    return Named(owner, layer, name - 1, sum_by(key, bits.time_ns, len(keys)))

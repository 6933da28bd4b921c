"""Replays of graphs beside each other: which ops each has, and which others have all of these and more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int32, int64, is_ascending, parts
from tracer.charge.intervals import PIECE
from tracer.packed import some
from tracer.trace.api import launches_graph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.arrays import I32, I64, Column
    from tracer.trace.columns import Trace


# Kinds times names: piecewise graphs of large models are a quarter of it. More is nothing that a server replays, and a
# table of them would take far more memory than the file.
MOST_CELLS = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """Replays that worked on one device each, in the order of their launch.

    Attributes:
        rows: the ops of all, those of each as they began.
        name: of each of `rows`, as a place among all names that replayed ops have.
        begins: where each one's begin among `rows`, and the end.
        call: the launch of each.
        start_ns, end_ns: when its ops ran, from the first to the last.
        time_ns: of its ops together.
        kind: which ops it has, whatever their order: those of one kind have the same.
        counts: [kinds, names] how often a kind has a name.
        sizes: how many ops each kind has.
    """

    rows: I32
    name: I32
    begins: I64
    call: I64
    start_ns: I64
    end_ns: I64
    time_ns: I64
    kind: I64
    counts: I64
    sizes: I64

    def __len__(self) -> int:
        return len(self.call)

    def part(self, replay: int) -> slice:
        """Where its ops are among `rows`."""
        return slice(int(self.begins[replay]), int(self.begins[replay + 1]))

    def of_kind(self, kind: int) -> I64:
        """The replays that have these ops."""
        return int64(np.flatnonzero(self.kind == kind))

    def wider(self, kind: int, among: I64) -> I64:
        """The kinds, of some, that have all ops of this one, and more; the nearest first."""
        more = among[self.sizes[among] > self.sizes[kind]]
        found = more[(self.counts[more] >= self.counts[kind]).all(axis=1)]
        return int64(found[np.argsort(self.sizes[found], kind="stable")])


def replayed(trace: Trace, call: Column) -> Replayed | None:
    """All of them; None where there are none, or too many different ones to lay beside each other.

    Args:
        trace: with ops and calls.
        call: of each op its launch, or -1.
    """
    graph = np.array([*map(launches_graph, trace.strings)], dtype=np.bool_)
    if not graph.any() or not len(trace.calls) or not len(trace.ops):
        return None
    rows = int32(np.flatnonzero((call >= 0) & graph[trace.calls.name][call]))
    if not len(rows):
        return None
    ops = trace.ops
    rows, begins = _in_order(trace, rows, call)
    device = ops.device
    if device.min() < device.max():
        elsewhere = device[rows] != device[rows[begins[:-1]]].repeat(np.diff(begins))
        if elsewhere.any():  # of one that works on several devices nothing is asked
            rows, begins = _in_order(trace, rows[~np.isin(call[rows], call[rows[elsewhere]])], call)
            if not len(rows):
                return None
    names, name = _named(ops.name[rows], len(trace.strings))
    of_kind, kind = coded(np.add.reduceat(_scattered(len(names))[name], begins[:-1]))
    if len(of_kind) * len(names) > MOST_CELLS:
        return None
    first = np.zeros(len(of_kind), dtype=np.int64)
    first[kind[::-1]] = np.arange(len(kind))[::-1]
    counts = [np.bincount(name[begins[one] : begins[one + 1]], minlength=len(names)) for one in first.tolist()]
    start_ns, end_ns, time_ns = _times(trace, rows, begins)
    return Replayed(
        rows=rows,
        name=name,
        begins=begins,
        call=int64(call[rows[begins[:-1]]]),
        start_ns=start_ns,
        end_ns=end_ns,
        time_ns=time_ns,
        kind=kind,
        counts=int64(counts),
        sizes=np.diff(begins)[first],
    )


def in_groups(begins: I64) -> Iterator[slice]:
    """Some of what begins at these places, and ends at the last, so that not many rows are looked at together."""
    first, count = 0, len(begins) - 1
    while first < count:
        until = max(first + 1, int(np.searchsorted(begins, begins[first] + PIECE, side="right")) - 1)
        yield slice(first, until)
        first = until


def _times(trace: Trace, rows: I32, begins: I64) -> tuple[I64, I64, I64]:
    """Of each replay when its first op began, when its last ended, and the time of all."""
    first_ns, last_ns, time_ns = (np.zeros(len(begins) - 1, dtype=np.int64) for _ in range(3))
    for group in in_groups(begins):
        low = begins[group.start]
        own, at = rows[low : begins[group.stop]], begins[group] - low
        start_ns, end_ns = some(trace.ops, "start_ns", own), some(trace.ops, "end_ns", own)
        first_ns[group] = start_ns[at]
        last_ns[group] = np.maximum.reduceat(end_ns, at)
        time_ns[group] = np.add.reduceat(end_ns - start_ns, at)
    return first_ns, last_ns, time_ns


def _named(name: I32, strings: int) -> tuple[I64, I32]:
    """The names that occur, and of each its place among them."""
    occurs = np.zeros(strings, dtype=np.bool_)
    occurs[name] = True
    return int64(np.flatnonzero(occurs)), int32(np.cumsum(occurs) - 1)[name]


def _in_order(trace: Trace, rows: I32, call: Column) -> tuple[I32, I64]:
    """Sorted by when they were launched, then by the launch and by when they began; and where each launch's begin.

    Most files have them nearly so: then not all are sorted at once.
    """
    called_ns = trace.calls.start_ns
    rank = np.arange(len(called_ns), dtype=np.int32)
    if not is_ascending(called_ns):
        rank[np.argsort(called_ns, kind="stable")] = rank.copy()
    key = rank[call[rows]]
    if is_ascending(key):
        rows = rows.copy()
    else:
        order = np.argsort(key, kind="stable")
        rows, key = rows[order], key[order]
        del order
    for part in parts(key, PIECE):
        own = rows[part]
        rows[part] = own[np.lexsort((some(trace.ops, "start_ns", own), key[part]))]
    return rows, np.append(np.flatnonzero(np.append(True, key[1:] != key[:-1])), len(rows)) if len(rows) else int64([0])


def _scattered(count: int) -> I64:
    """So many numbers, scattered over all there are (as splitmix64 does), so that sums of some tell which they are."""
    mixed = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed.view(np.int64)

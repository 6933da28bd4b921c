"""Replays of graphs beside each other: which ops each has, and which others have all of these and more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int32, int64
from tracer.charge.intervals import PIECE
from tracer.packed import minus
from tracer.trace.api import launches_graph

if TYPE_CHECKING:
    from tracer.arrays import I32, I64
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


def replayed(trace: Trace, call: I64) -> Replayed | None:
    """All of them; None where there are none, or too many different ones to lay beside each other.

    Args:
        trace: with ops and calls.
        call: of each op its launch, or -1.
    """
    graph = np.array([*map(launches_graph, trace.strings)], dtype=np.bool_)
    if not graph.any() or not len(trace.calls) or not len(trace.ops):
        return None
    rows = np.flatnonzero((call >= 0) & graph[trace.calls.name[call]])
    if not len(rows):
        return None
    ops = trace.ops
    rows = _in_order(int64(rows), ops.start_ns, call, trace.calls.start_ns)
    begins, ends = _parts(call[rows])
    elsewhere = ops.device[rows] != ops.device[rows[begins]].repeat(ends - begins)
    if elsewhere.any():  # of one that works on several devices nothing is asked
        rows = rows[~np.isin(call[rows], call[rows[elsewhere]])]
        if not len(rows):
            return None
        begins, ends = _parts(call[rows])
    names, name = coded(int64(ops.name[rows]))
    of_kind, kind = coded(np.add.reduceat(_scattered(len(names))[name], begins))
    if len(of_kind) * len(names) > MOST_CELLS:
        return None
    first = np.zeros(len(of_kind), dtype=np.int64)
    first[kind[::-1]] = np.arange(len(kind))[::-1]
    counts = [np.bincount(name[begins[one] : ends[one]], minlength=len(names)) for one in first.tolist()]
    return Replayed(
        rows=int32(rows),
        name=int32(name),
        begins=np.append(begins, len(rows)),
        call=call[rows[begins]],
        start_ns=ops.start_ns[rows[begins]],
        end_ns=np.maximum.reduceat(ops.end_ns[rows], begins),
        time_ns=np.add.reduceat(minus(ops, "end_ns", "start_ns")[rows], begins),
        kind=kind,
        counts=int64(counts),
        sizes=(ends - begins)[first],
    )


def _in_order(rows: I64, start_ns: I64, call: I64, called_ns: I64) -> I64:
    """Sorted by when they were launched, then by the launch and by when they began.

    Most files have them so, which takes no sorting, and is seen a piece at a time.
    """
    for at in range(0, len(rows), PIECE):
        own = rows[at : at + PIECE + 1]
        least, middle, most = (np.diff(key) for key in (start_ns[own], call[own], called_ns[call[own]]))
        if ((most < 0) | ((most == 0) & ((middle < 0) | ((middle == 0) & (least < 0))))).any():
            return int64(rows[np.lexsort((start_ns[rows], call[rows], called_ns[call[rows]]))])
    return rows


def _scattered(count: int) -> I64:
    """So many numbers, scattered over all there are (as splitmix64 does), so that sums of some tell which they are."""
    mixed = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed.view(np.int64)


def _parts(keys: I64) -> tuple[I64, I64]:
    """Where runs of equal keys begin and end."""
    begins = np.append(0, np.flatnonzero(np.diff(keys)) + 1)
    return int64(begins), int64(np.append(begins[1:], len(keys)))

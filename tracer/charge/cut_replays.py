"""Replays of a graph of which the profiler kept a part.

A graph has the same nodes each time, so a replay whose ops are some of those that another replay had may have lost the
others. It may as well be another graph (of another batch, or the last of a model that is replayed piece by piece), or
the same with a branch not taken, a node switched off, or updated; in real files such graphs are parts of one another.
Time tells them apart: what ran and was not recorded leaves its time empty on the device. So a replay has lost nodes if,
beyond what is usual of whole ones, its device is empty for about as long as the missing nodes take (`left_empty`), or
just that place is where they are missing (`missing_nodes`).
Where a host that pauses hides the end, a replay has lost it if it stands alone among replays of one graph, asked for
with the same work, with the beginning of the same ops; and where nothing follows, as the recording stopped. If all
replays of a graph lack the same, the host still waits for their end, long behind what was recorded of each; or the
device does nothing for long at the same places inside each, where nodes are microseconds apart. It does so for as long
each time: a node that is a function of the host takes now more and now less, and another program on the device stops a
replay anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.clocks import clocks_of
from tracer.charge.intervals import sum_by
from tracer.charge.left_empty import left_empty
from tracer.charge.missing_nodes import missing_nodes
from tracer.charge.replayed import in_groups, replayed
from tracer.packed import some
from tracer.trace.columns import JITTER_NS

if TYPE_CHECKING:
    from tracer.arrays import F64, I64, Bools, Column
    from tracer.charge.clocks import Clocks
    from tracer.charge.left_empty import LeftEmpty
    from tracer.charge.replayed import Replayed
    from tracer.trace.columns import Trace

# Of missing nodes at least one part in so many of their time is to be empty, and not more than so many times it.
WITHIN = 2
# What usual replays leave empty: so large a part of them leaves no more.
USUAL = 0.9
# Nodes that take less are not looked for by what a whole replay leaves empty; where it takes the host's clock to find
# them, less than twice that.
SHORTEST_NS = JITTER_NS
# In forty real files no wait ended later than 60 us behind the last op that it can have waited for. A function of the
# host that was put on a stream is waited for as well, and is no op.
OVERLONG_NS = 500_000
# Of the same files' replays one had a single hole of 274 us, among 543 nodes, and the others none of a ninth of this.
HOLE_NS = 50_000
# What the same nodes take differs by less from one replay to the next, as a part of it; in doubt they were lost.
STEADY = 0.2
_CALLS_BACK = re.compile(r"LaunchHostFunc|StreamAddCallback")
# So many replays, each without something else, show together what their graph has; and are no chance.
FEWEST = 3
# So many graphs are looked at, those that were replayed most, whether others are parts of them; for each the nearest.
MOST_GRAPHS, NEAREST = 256, 16
# So many replays of a kind are laid beside whole ones, node by node, of so many kinds that have more; in all so many.
SAMPLES, BESIDE, MOST_LAID = 3, 4, 4_000
# Of replays that may all lack the same, so many are laid beside each other.
MOST_ALIKE = 256
# Replays that lack a short node are one in so many, as losses at random are.
RARE = 10
# Of so many whole replays it is known by how much what they leave empty before or behind them differs.
ENOUGH = 5


def cut_replays(trace: Trace, call: Column, clocks: Clocks | None = None) -> I64:
    """The launches of graphs of whose ops a part is missing, as indices among the host's calls.

    Args:
        trace: with ops and calls.
        call: of each op its launch, or -1.
        clocks: how devices' clocks agree with the host's, if that is known.
    """
    replays = replayed(trace, call)
    if replays is None or len(replays) < 2:
        return int64([])
    times = np.bincount(replays.kind)
    common = int64(np.lexsort((-replays.sizes, -times))[:MOST_GRAPHS])
    wider = [replays.wider(kind, common) for kind in range(len(replays.counts))]
    alone = np.asarray(times == 1, dtype=np.bool_)
    off = (clocks or clocks_of(trace, call)).off_device
    torn = _torn(trace, replays)
    inside = any(len(kinds) for kinds in wider) or int(alone.sum()) >= FEWEST or bool(torn.any())
    empty = left_empty(trace, call, replays, off=off, inside=inside)
    usual = {kind: _usual(replays, empty, kind) for kind in {one for kinds in wider for one in kinds.tolist()}}
    laid = min(SAMPLES * BESIDE, MOST_LAID // max(1, sum(map(bool, map(len, wider)))))
    look = _Look(trace, replays, empty, common, wider, alone, torn, usual, laid)
    found = [kind for kind in range(len(wider)) if look.lacks(kind)]
    return int64(np.sort(replays.call[np.isin(replays.kind, found)]))


@dataclass(frozen=True, slots=True)
class _Look:
    """All replays of a trace, and what they left empty.

    Attributes:
        common: kinds that were replayed most.
        wider, alone: of each kind, those that have more, and whether it has one replay.
        torn: see `_torn`.
        usual: see `_usual`, of the wider kinds.
        laid: how many pairs of replays of each kind and whole ones are laid beside each other.
        families: see `_family`, by their kinds.
    """

    trace: Trace
    replays: Replayed
    empty: LeftEmpty
    common: I64
    wider: list[I64]
    alone: Bools
    torn: Bools
    usual: dict[int, _Usual]
    laid: int
    families: dict[bytes, tuple[F64, F64, float]] = field(default_factory=dict)

    def lacks(self, kind: int) -> bool:
        """Whether the replays of this kind lost nodes."""
        others = self.wider[kind][:NEAREST].tolist()
        own = self.replays.of_kind(kind)
        long = self.empty.waited_ns[own] > OVERLONG_NS
        torn = own[self.torn[own] & (self.empty.times_ns[1, own] > OVERLONG_NS)]
        if len(torn) and _steady(self.trace, self.replays, torn[:MOST_ALIKE]):
            long |= np.isin(own, torn)
        if len(own) >= FEWEST and 2 * long.sum() > len(own) and not any(map(_CALLS_BACK.search, self.trace.strings)):
            return True
        if not others:
            return bool(self.alone[kind]) and self._part_of_all(kind)
        # Of several the usual one: the time before and behind one replay may be long for other reasons.
        took_ns = float(np.median(self.replays.time_ns[own]))
        left_ns = np.median(self.empty.times_ns[:, own], axis=1)
        for usual in (self.usual[other] for other in others):
            if _explains(usual.took_ns - took_ns, left_ns - usual.most_ns):
                return True
        return self._left_out(own, others) or (bool(self.alone[kind]) and self._beginning(kind))

    def _left_out(self, own: I64, others: list[int]) -> bool:
        """Whether most of these replays, laid beside a near one of another kind, left just their nodes' time empty."""
        times, own = len(own), own[: min(SAMPLES, self.laid)]
        for other in others[: self.laid // max(1, len(own))]:
            whole = self.replays.of_kind(other)
            # What is replayed as often without a short node is rather a graph of its own, with a gap at that place.
            often = times >= FEWEST and RARE * times > len(whole)
            if often and self.usual[other].took_ns - self.replays.time_ns[own].min() < SHORTEST_NS:
                continue
            nearest = whole[np.abs(whole - own[:, None]).argmin(axis=1)]
            pairs = list(zip(own.tolist(), nearest.tolist(), strict=True))
            told = [self._is_left_out(one, beside, self.usual[other]) for one, beside in pairs]
            if 2 * sum(told) > len(told):
                return True
        return False

    def _is_left_out(self, one: int, whole: int, usual: _Usual) -> bool:
        missing = missing_nodes(self.trace, self.replays, one, whole)
        if missing is None or missing.inside_ns:
            return missing is not None and missing.is_left_empty
        more_ns = self.empty.times_ns[:, one] - usual.median_ns
        return any(
            took_ns > 0 and max(took_ns / WITHIN, WITHIN * usual.differ_ns[at]) <= more_ns[at] <= WITHIN * took_ns
            for at, took_ns in ((0, missing.first_ns), (2, missing.last_ns))
        )

    def _part_of_all(self, kind: int) -> bool:
        """Whether its one replay lacks what others have that lack something else each, so that none is whole."""
        replays = self.replays
        counts, sizes = replays.counts, replays.sizes
        family = self.common[self.alone[self.common]]
        shared = np.minimum(counts[family], counts[kind]).sum(axis=1)
        family = family[2 * shared >= np.maximum(sizes[family], sizes[kind])]
        if len(family) < FEWEST:
            return False
        key = family.tobytes()
        if key not in self.families:
            self.families[key] = self._family(family)
        mean_ns, usual_ns, gap_ns = self.families[key]
        missing_ns = float(((counts[family].max(axis=0) - counts[kind]) * mean_ns).sum())
        usual_ns = np.where(np.arange(3) == 1, WITHIN * gap_ns * sizes[kind], usual_ns)
        return _explains(missing_ns, self.empty.times_ns[:, replays.of_kind(kind)[0]] - usual_ns)

    def _family(self, kinds: I64) -> tuple[F64, F64, float]:
        """Of kinds of one replay each: what ops of each name take, what is left empty, and the gap between two ops."""
        replays, ops = self.replays, self.trace.ops
        names = replays.counts.shape[1]
        members = int64([replays.of_kind(kind)[0] for kind in kinds.tolist()])
        parts = [replays.part(one) for one in members.tolist()]
        rows = np.concatenate([replays.rows[part] for part in parts])
        name = np.concatenate([replays.name[part] for part in parts])
        took_ns = sum_by(name, ops.end_ns[rows] - ops.start_ns[rows], names)
        gaps_ns = np.maximum(ops.start_ns[rows[1:]] - ops.end_ns[rows[:-1]], 0)
        mean_ns = took_ns / np.maximum(np.bincount(name, minlength=names), 1)
        return mean_ns, np.median(self.empty.times_ns[:, members], axis=1), float(np.median(np.append(gaps_ns, 0)))

    def _beginning(self, kind: int) -> bool:
        """Whether its one replay has the beginning of its neighbours' ops, and nothing tells how long it ran."""
        replays, calls = self.replays, self.trace.calls
        row = int(replays.of_kind(kind)[0])
        thread = calls.thread[replays.call]
        suspect = self.alone & np.array([len(kinds) > 0 for kinds in self.wider], dtype=np.bool_)
        others = np.flatnonzero((thread == thread[row]) & ~suspect[replays.kind])
        before, behind = others[others < row], others[others > row]
        if not len(before) or replays.kind[before[-1]] not in self.wider[kind]:
            return False
        own, whole = replays.name[replays.part(row)], replays.name[replays.part(int(before[-1]))]
        missing_ns = int(replays.time_ns[before[-1]] - replays.time_ns[row])
        if not np.array_equal(own, whole[: len(own)]) or missing_ns < 2 * SHORTEST_NS:
            return False
        same = replays.kind[others] == replays.kind[before[-1]]
        if self.empty.last[row]:
            return len(before) > 1 and bool(same.all())
        hidden = replays.end_ns[row] + missing_ns // WITHIN <= self.empty.hidden_ns[row]
        between = bool(hidden) and len(behind) > 0 and replays.kind[behind[0]] == replays.kind[before[-1]]
        return between and np.array_equal(self._asked_behind(row), self._asked_behind(int(before[-1])))

    def _asked_behind(self, row: int) -> I64:
        """What its thread asked for between this replay and its next one, by the calls' names."""
        calls, replays = self.trace.calls, self.replays
        launch = replays.call[row]
        own = np.flatnonzero(calls.thread == calls.thread[launch])
        own = own[np.argsort(calls.start_ns[own], kind="stable")]
        start_ns = calls.start_ns[own]
        later = replays.call[row + 1 :]
        later = later[calls.thread[later] == calls.thread[launch]]
        until = np.searchsorted(start_ns, calls.start_ns[later[0]]) if len(later) else len(own)
        return int64(calls.name[own[np.searchsorted(start_ns, calls.start_ns[launch], side="right") : until]])


@dataclass(frozen=True, slots=True)
class _Usual:
    """Of replays of one kind, in time.

    Attributes:
        took_ns: their ops together.
        most_ns, median_ns: what they leave empty before, inside and behind, at most as a rule and in the middle.
        differ_ns: between what most and what few of them leave so; endless of too few.
    """

    took_ns: float
    most_ns: F64
    median_ns: F64
    differ_ns: F64


def _usual(replays: Replayed, empty: LeftEmpty, kind: int) -> _Usual:
    own = replays.of_kind(kind)
    quantiles = (1 - USUAL, 0.5, USUAL)
    few, median, most = np.quantile(empty.times_ns[:, own], quantiles, axis=1, method="higher").astype(np.float64)
    differ = most - few if len(own) >= ENOUGH else np.full_like(most, np.inf)
    return _Usual(float(np.median(replays.time_ns[own])), most, median, differ)


def _torn(trace: Trace, replays: Replayed) -> Bools:
    """Which replays have holes of a quarter of their time or more, each far longer than nodes are apart."""
    ops, begins = trace.ops, replays.begins
    holes_ns, reach_ns = np.zeros(len(replays), dtype=np.int64), np.iinfo(np.int64).min
    for group in in_groups(begins):
        low = begins[group.start]
        own = replays.rows[low : begins[group.stop]]
        reach = np.maximum.accumulate(np.maximum(some(ops, "end_ns", own), reach_ns))
        gaps_ns = np.append(some(ops, "start_ns", own[1:]) - reach[:-1], 0)
        gaps_ns[begins[group.start + 1 : group.stop + 1] - low - 1] = 0  # behind the last of each
        holes_ns[group] = np.add.reduceat(np.where(gaps_ns > HOLE_NS, gaps_ns, 0), begins[group] - low)
        reach_ns = reach[-1]
    return np.asarray((holes_ns > OVERLONG_NS) & (4 * holes_ns > replays.end_ns - replays.start_ns), dtype=np.bool_)


def _steady(trace: Trace, replays: Replayed, own: I64) -> bool:
    """Whether holes in replays of one kind are at the same places in each, and as long from one to the next."""
    rows = np.stack([replays.rows[replays.part(one)] for one in own.tolist()])
    start_ns, end_ns = trace.ops.start_ns[rows], trace.ops.end_ns[rows]
    gaps_ns = start_ns[:, 1:] - np.maximum.accumulate(end_ns, axis=1)[:, :-1]
    usual_ns = np.median(gaps_ns, axis=0)
    holes = usual_ns > HOLE_NS
    differ_ns = np.median(np.abs(np.diff(gaps_ns[:, holes], axis=0)), axis=0) if len(own) > 1 else 0 * usual_ns[holes]
    whole_ns = float(usual_ns[holes].sum())
    return whole_ns > OVERLONG_NS and float(differ_ns.sum()) <= STEADY * whole_ns


def _explains(missing_ns: float, more_ns: F64) -> bool:
    """Whether missing nodes explain what is empty before, inside and behind a replay beyond the usual."""
    before, inside, behind = np.maximum(more_ns, 0.0).tolist()
    total = before + inside + behind
    shortest = SHORTEST_NS if WITHIN * inside >= missing_ns else 2 * SHORTEST_NS
    return bool(shortest <= missing_ns <= WITHIN * total <= WITHIN * WITHIN * missing_ns)

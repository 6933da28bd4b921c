"""Where in a graph's replay nodes are missing that another replay had, and whether their time was left empty there.

A node that ran and was not recorded leaves just its time empty between its neighbours on their stream, however short it
was and whatever else ran beside it; behind one that did not run they close up. The device's own clock tells that, to
far less than what the host's calls do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.replayed import Replayed
    from tracer.trace.columns import Trace

# A replay that lacks nodes in more places than this is told by what it left empty as a whole.
MOST_PLACES = 64
FIRST_LOOK = 128
# An op that so soon follows one of another stream may have waited for that one.
JOINS_NS = 1_500
# So much of their time nodes may take less or more than in another replay.
WITHIN = 0.3
# Of the gaps between neighbours that both replays have, so large a part differ by no more than is usual.
USUAL = 0.95


@dataclass(frozen=True, slots=True)
class Missing:
    """What one replay lacks of another.

    Attributes:
        inside_ns: what the nodes took that are missing between others.
        more_ns: by how much more is empty there than in the other replay.
        noise_ns: by how much gaps differ between the two, all those places together.
        first_ns, last_ns: what those took that are missing before all others, and behind them, with the gaps to these.
    """

    inside_ns: int
    more_ns: int
    noise_ns: float
    first_ns: int
    last_ns: int

    @property
    def is_left_empty(self) -> bool:
        """Whether the time of the nodes between others is."""
        least = max(self.inside_ns - WITHIN * self.inside_ns - self.noise_ns, 2 * self.noise_ns)
        most = self.inside_ns + WITHIN * self.inside_ns + self.noise_ns
        return self.inside_ns > 0 and least <= self.more_ns <= most


def missing_nodes(trace: Trace, replays: Replayed, own: int, whole: int) -> Missing | None:
    """Compare a replay with one that has all of its ops and more; None where their order is another.

    Args:
        trace: with ops.
        replays: of it.
        own, whole: two of these.
    """
    one, other = _Laid.of(trace, replays, own), _Laid.of(trace, replays, whole)
    if not np.array_equal(one.streams, other.streams):
        return None
    places = _places(one.key, other.key)
    if places is None:
        return None
    inside_ns = more_ns = first_ns = last_ns = inner = 0
    for place in places:
        took_ns = int(other.took_ns[place.whole : place.whole + place.nodes].sum())
        before, behind = place.own - 1 - place.slides, place.own
        first, last = before < 0, behind == len(one.key)
        # Where the first or the last of a row of one name may be missing, any of it may.
        start, end = before + first, behind - last
        if start >= end or one.stream[start] != one.stream[end]:
            left_ns = None
        else:
            usual_ns = other.empty(place.whole - 1 - place.slides + first, place.whole + place.nodes - last)
            left_ns = one.empty(start, end) - usual_ns
        if left_ns is None or ((first or last) and 2 * left_ns < took_ns):
            first_ns += (took_ns + other.empty(place.whole, place.whole + place.nodes)) if first else 0
            last_ns += (took_ns + other.empty(place.whole - 1, place.whole + place.nodes - 1)) if last else 0
        elif not one.joins(start, end):
            inner += 1
            inside_ns += took_ns
            more_ns += left_ns
    noise_ns = inner * _noise(one, other, places)
    alone = len(one.streams) == 1  # of several streams it is not known which begins
    return Missing(inside_ns, more_ns, noise_ns, first_ns * alone, last_ns * alone)


@dataclass(frozen=True, slots=True)
class _Laid:
    """The ops of a replay, stream by stream, as they began.

    Attributes:
        key: what tells them apart: name and stream.
        stream: of each, as a place among `streams`.
        gap_ns: between each and the next one of its stream, all of them until each added up, from 0.
    """

    key: I64
    stream: I64
    streams: I64
    start_ns: I64
    end_ns: I64
    gap_ns: I64

    @classmethod
    def of(cls, trace: Trace, replays: Replayed, replay: int) -> _Laid:
        part = replays.part(replay)
        rows, name = replays.rows[part], replays.name[part]
        streams = int64(distinct(trace.ops.stream[rows]))
        stream = int64(np.searchsorted(streams, trace.ops.stream[rows]))
        if len(streams) > 1:
            order = np.lexsort((trace.ops.start_ns[rows], stream))
            rows, name, stream = rows[order], name[order], stream[order]
        start_ns, end_ns = trace.ops.start_ns[rows], trace.ops.end_ns[rows]
        gaps_ns = np.where(stream[1:] == stream[:-1], np.maximum(start_ns[1:] - end_ns[:-1], 0), 0)
        key = int64(stream * replays.counts.shape[1] + name)
        return cls(key, stream, streams, start_ns, end_ns, int64(np.append(0, np.cumsum(gaps_ns))))

    @property
    def took_ns(self) -> I64:
        return int64(self.end_ns - self.start_ns)

    def empty(self, first: int, last: int) -> int:
        """How long nothing ran from one op to a later one, on their stream."""
        return int(self.gap_ns[min(last, len(self.gap_ns) - 1)] - self.gap_ns[max(first, 0)])

    def joins(self, before: int, behind: int) -> bool:
        """Whether an op may have waited for one of another stream, so that what is empty before it tells nothing."""
        if len(self.streams) == 1:
            return False
        ends_ns = self.end_ns[self.stream != self.stream[behind]]
        until_ns = self.start_ns[behind]
        late = (ends_ns > self.end_ns[before]) & (ends_ns <= until_ns) & (ends_ns > until_ns - JOINS_NS)
        return bool(late.any())


@dataclass(frozen=True, slots=True)
class _Place:
    """Where nodes are missing.

    Attributes:
        own: the op behind them.
        whole, nodes: which of the other's ops they are, and how many.
        slides: how many ops further ahead they may be missing as well, as those have the same names.
    """

    own: int
    whole: int
    nodes: int
    slides: int


def _places(own: I64, whole: I64) -> list[_Place] | None:
    """Where one sequence lacks parts of another; None where it is not the other with some left out."""
    found: list[_Place] = []
    at = other = 0
    while True:
        alike = _alike(own[at:], whole[other:])
        at, other = at + alike, other + alike
        if other == len(whole):
            return found if at == len(own) else None
        if len(found) == MOST_PLACES:
            return None
        nodes = len(whole) - other if at == len(own) else _skipped(own[at:], whole[other:])
        if nodes is None:
            return None
        slides = _alike(whole[other - alike : other][::-1], whole[other + nodes - alike : other + nodes][::-1])
        found.append(_Place(at, other, nodes, slides if nodes > 0 else 0))
        other += nodes


def _skipped(own: I64, whole: I64) -> int | None:
    """How many to leave out of one sequence so that it goes on as the other does, for the longest."""
    again = np.flatnonzero(whole == own[0])[:MOST_PLACES].tolist()
    return max(again, key=lambda place: (_alike(own, whole[place:]), -place), default=None)


def _alike(one: I64, other: I64) -> int:
    """How many items two sequences have in common from their beginning on."""
    size, at, step = min(len(one), len(other)), 0, FIRST_LOOK
    while at < size:  # most differ soon, and of a large graph all would be looked at for each place
        differ = np.flatnonzero(one[at : min(at + step, size)] != other[at : min(at + step, size)])
        if len(differ):
            return at + int(differ[0])
        at, step = at + step, 2 * step
    return size


def _noise(one: _Laid, other: _Laid, places: list[_Place]) -> float:
    """By how much the gaps between neighbours that both have usually differ."""
    kept = np.ones(len(other.key), dtype=np.bool_)
    for place in places:
        kept[place.whole - place.slides : place.whole + place.nodes] = False
    rows = np.flatnonzero(kept)
    lacking = np.ones(len(one.key), dtype=np.bool_)
    for place in places:
        lacking[place.own - place.slides : place.own] = False
    own = np.flatnonzero(lacking)
    if len(own) != len(rows):
        return 0.0
    pairs = (np.diff(rows) == 1) & (np.diff(own) == 1)
    differ_ns = np.abs(np.diff(one.gap_ns)[own[:-1]] - np.diff(other.gap_ns)[rows[:-1]])[pairs]
    return float(np.quantile(differ_ns, USUAL)) if len(differ_ns) else 0.0

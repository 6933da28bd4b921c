"""Device ops without a usable time: profilers that lost one write 0 for it.

A trace lives years or hours behind 0, or counts from its own beginning: an op of no length at exactly 0, before
everything else in the file, did not run then. One that has a length is only left out where all else is far away, or
where several of its stream stand at 0 although each was launched later: of a clock that is off only one would. The same
goes for any other number that stands for no time (-1): several of a stream at one instant, before the first call. A
kernel takes a microsecond or so, so that one of no length has no usable time either, unless the file has whole
microseconds. And what is written to have run an hour away from all calls did not run then, unless most of its device
did: that is a clock that is off.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64, rows_of_each
from tracer.document.words import counted
from tracer.trace.columns import JITTER_NS, NO_CORRELATION, OpKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.arrays import Bools
    from tracer.trace.columns import Trace

# So long before everything else no op of the same recording ran.
FAR_NS = 60 * 10**9
# Nothing that was called waits so long, nor runs it.
AWAY_NS = 3_600 * 10**9
NAMED = 3
US = 1_000


@dataclass(frozen=True, slots=True)
class Timed:
    """Which ops have a usable time.

    Attributes:
        rows: those that have.
        lost: of those written to have run at 0, how many there are by name, as an index into the trace's strings.
        at_once: likewise of those of one stream that begin at one instant, before the first call.
        away: likewise of those far from all calls.
        endless: likewise of kernels of no length.
    """

    rows: Bools
    lost: dict[int, int]
    at_once: dict[int, int] = field(default_factory=dict)
    away: dict[int, int] = field(default_factory=dict)
    endless: dict[int, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many have none."""
        return sum(sum(of.values()) for of in (self.lost, self.at_once, self.away, self.endless))

    def warnings(self, strings: Sequence[str]) -> list[str]:
        """What was left out, in words."""
        said = (
            (self.lost, "no usable time, written to have run at 0, before all else"),
            (self.at_once, "no usable time, several of a stream written to have begun at once, before all calls"),
            (self.away, "no usable time, written to have run more than an hour away from all calls"),
            (self.endless, "no usable time, written to have taken none"),
        )
        return [left_out({strings[name]: count for name, count in of.items()}, why) for of, why in said if of]


def left_out(named: Mapping[str, int], reason: str) -> str:
    """That device ops were left out: how many there are by name, and why."""
    often = sorted(named, key=lambda name: (-named[name], name))[:NAMED]
    ops = counted(sum(named.values()), "device op", "device ops")
    return f"{ops} left out ({', '.join(often)}): {reason}"


def timed_ops(trace: Trace) -> Timed:
    """Tell which ops of a trace have a usable time, by when all else in it began."""
    found, ops = _at_zero(trace), trace.ops
    found = _without(found, trace, "at_once", _at_once(trace))
    found = _without(found, trace, "away", _away(trace))
    still = (ops.start_ns == ops.end_ns) & (ops.kind == OpKind.KERNEL) & found.rows
    if not still.any() or not ((ops.start_ns % US) | (ops.end_ns % US)).any():
        return found
    return replace(found, rows=np.asarray(found.rows & ~still), endless=dict(Counter(ops.name[still].tolist())))


def _without(timed: Timed, trace: Trace, why: str, rows: Bools | None) -> Timed:
    """Less these, which go by this name."""
    left = None if rows is None else rows & timed.rows
    if left is None or not left.any():
        return timed
    named = dict(Counter(trace.ops.name[left].tolist()))
    return replace(timed, rows=np.asarray(timed.rows & ~left, dtype=np.bool_), **{why: named})


def _at_once(trace: Trace) -> Bools | None:
    """Which ops begin before the first call, at one instant with others of their stream, and were launched later.

    Of a device whose clock is off a few may, of numbers that stand for no time all.
    """
    ops, calls = trace.ops, trace.calls
    if not len(ops) or not len(calls) or ops.start_ns.min() >= (first_ns := calls.start_ns.min() - JITTER_NS):
        return None
    rows = np.flatnonzero((ops.start_ns < first_ns) & (ops.correlation != NO_CORRELATION))
    rows = rows[np.isin(ops.correlation[rows], calls.correlation)]
    if not len(rows):
        return None
    columns = ops.start_ns[rows], int64(ops.stream[rows]), int64(ops.device[rows])
    order = np.lexsort(columns)
    same = np.ones(max(0, len(rows) - 1), dtype=np.bool_)
    for column in columns:
        same &= column[order[1:]] == column[order[:-1]]
    found = np.zeros(len(ops), dtype=np.bool_)
    found[rows[order[np.append(same, False) | np.append(False, same)]]] = True
    return found if 2 * np.count_nonzero(found) > len(rows) else None


def _away(trace: Trace) -> Bools | None:
    """Which ops run so far from all calls that they did not run then, as most of their device did not."""
    ops, calls = trace.ops, trace.calls
    if not len(ops) or not len(calls):
        return None
    since_ns, until_ns = int(calls.start_ns.min()) - AWAY_NS, int(calls.end_ns.max()) + AWAY_NS
    if ops.start_ns.min() >= since_ns and ops.end_ns.max() <= until_ns:
        return None
    found = np.asarray((ops.start_ns < since_ns) | (ops.end_ns > until_ns), dtype=np.bool_)
    for _, own in rows_of_each(ops.device):
        if 2 * np.count_nonzero(found[own]) >= len(own):
            found[own] = False
    return found


def _at_zero(trace: Trace) -> Timed:
    """Which were not written to have run at 0."""
    ops = trace.ops
    at_zero = np.asarray(ops.start_ns == 0, dtype=np.bool_)
    if not at_zero.any():
        return Timed(np.ones(len(ops), dtype=np.bool_), {})
    others = (ops.start_ns[~at_zero], *(spans.start_ns for spans in (trace.calls, trace.ranges, trace.cpu_ops)))
    first_ns = min((int(starts.min()) for starts in others if len(starts)), default=0)
    empty = at_zero & (ops.end_ns == 0)
    if first_ns <= 0:
        return Timed(np.ones(len(ops), dtype=np.bool_), {})
    lost = at_zero if first_ns > FAR_NS else empty | _several_early(trace, at_zero)
    return Timed(np.asarray(~lost, dtype=np.bool_), dict(Counter(ops.name[lost].tolist())))


def _several_early(trace: Trace, at_zero: Bools) -> Bools:
    """Which of these ops were launched after they are written to have run, where several of their stream were."""
    ops, calls = trace.ops, trace.calls
    order = np.lexsort((calls.start_ns, calls.correlation))
    rows = np.flatnonzero(at_zero & (ops.correlation != NO_CORRELATION))
    place = np.searchsorted(calls.correlation[order], ops.correlation[rows])
    first = order[np.minimum(place, len(order) - 1)] if len(order) else rows[:0]
    if not len(first):
        return np.zeros_like(at_zero)
    early = rows[(calls.correlation[first] == ops.correlation[rows]) & (calls.start_ns[first] > JITTER_NS)]
    found = np.zeros_like(at_zero)
    for device, stream in set(zip(ops.device[early].tolist(), ops.stream[early].tolist(), strict=True)):
        own = early[(ops.device[early] == device) & (ops.stream[early] == stream)]
        found[own] = len(own) > 1
    return found


def keep(trace: Trace, timed: Timed) -> Trace:
    """The trace with those ops that have a usable time, and with what to say of the others."""
    if not timed.count:
        return trace
    rows, details, launched = timed.rows, trace.details, trace.launched
    collectives = trace.collectives
    return replace(
        trace,
        ops=trace.ops[rows],
        details=None if details is None else replace(details, of_op=details.of_op[rows]),
        launched=None if launched is None else launched[rows],
        collectives=None if collectives is None else replace(collectives, of_op=collectives.of_op[rows]),
        warnings=[*timed.warnings(trace.strings), *trace.warnings],
        untimed=trace.untimed + timed.count,
    )

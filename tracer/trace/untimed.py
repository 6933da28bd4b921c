"""Device ops without a usable time: profilers that lost one write 0 for it.

A trace lives years or hours behind 0, or counts from its own beginning: an op of no length at exactly 0, before
everything else in the file, did not run then. One that has a length is only left out where all else is far away, or
where several of its stream stand at 0 although each was launched later: of a clock that is off only one would. A kernel
takes a microsecond or so, so that one of no length has no usable time either, unless the file has whole microseconds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from tracer.document.words import counted
from tracer.trace.columns import JITTER_NS, NO_CORRELATION, OpKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.arrays import Bools
    from tracer.trace.columns import Trace

# So long before everything else no op of the same recording ran.
FAR_NS = 60 * 10**9
NAMED = 3
US = 1_000


@dataclass(frozen=True, slots=True)
class Timed:
    """Which ops have a usable time.

    Attributes:
        rows: those that have.
        lost: of those written to have run at 0, how many there are by name, as an index into the trace's strings.
        endless: likewise of kernels of no length.
    """

    rows: Bools
    lost: dict[int, int]
    endless: dict[int, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many have none."""
        return sum(self.lost.values()) + sum(self.endless.values())

    def warnings(self, strings: Sequence[str]) -> list[str]:
        """What was left out, in words."""
        said = (
            (self.lost, "no usable time, written to have run at 0, before all else"),
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
    still = (ops.start_ns == ops.end_ns) & (ops.kind == OpKind.KERNEL) & found.rows
    if not still.any() or not ((ops.start_ns % US) | (ops.end_ns % US)).any():
        return found
    return replace(found, rows=np.asarray(found.rows & ~still), endless=dict(Counter(ops.name[still].tolist())))


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

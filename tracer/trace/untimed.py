"""Device ops without a usable time: profilers that lost one write 0 for it.

A trace lives years or hours behind 0, or counts from its own beginning: an op of no length at exactly 0, before
everything else in the file, did not run then. An op that has an end is only left out where all else is far away.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tracer.document.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.arrays import Bools
    from tracer.trace.columns import Trace

# So long before everything else no op of the same recording ran.
FAR_NS = 60 * 10**9
NAMED = 3


@dataclass(frozen=True, slots=True)
class Timed:
    """Which ops have a usable time.

    Attributes:
        rows: those that have.
        lost: of the others, how many there are by name, as an index into the trace's strings.
    """

    rows: Bools
    lost: dict[int, int]

    def warnings(self, strings: Sequence[str]) -> list[str]:
        """What was left out, in words."""
        if not self.lost:
            return []
        often = sorted(self.lost, key=lambda name: (-self.lost[name], strings[name]))[:NAMED]
        ops = counted(sum(self.lost.values()), "device op", "device ops")
        names = ", ".join(strings[name] for name in often)
        return [f"{ops} left out ({names}): no usable time, written to have run at 0, before all else"]


def timed_ops(trace: Trace) -> Timed:
    """Tell which ops of a trace have a usable time, by when all else in it began."""
    ops = trace.ops
    at_zero = np.asarray(ops.start_ns == 0, dtype=np.bool_)
    if not at_zero.any():
        return Timed(np.ones(len(ops), dtype=np.bool_), {})
    others = (ops.start_ns[~at_zero], *(spans.start_ns for spans in (trace.calls, trace.ranges, trace.cpu_ops)))
    first_ns = min((int(starts.min()) for starts in others if len(starts)), default=0)
    empty = at_zero & (ops.end_ns == 0)
    lost = at_zero if first_ns > FAR_NS else empty if first_ns > 0 else np.zeros_like(at_zero)
    return Timed(np.asarray(~lost, dtype=np.bool_), dict(Counter(ops.name[lost].tolist())))


def keep(trace: Trace, timed: Timed) -> Trace:
    """The trace with those ops that have a usable time, and with what to say of the others."""
    if not timed.lost:
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
        untimed=sum(timed.lost.values()),
    )

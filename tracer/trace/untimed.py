"""Device ops without a usable time: profilers that lost one write 0 for it.

A trace lives years or hours behind 0, or counts from its own beginning: an op of no length at exactly 0, before
everything else in the file, did not run then. An op that has an end is only left out where all else is far away.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.document.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.arrays import Bools
    from tracer.trace.columns import DeviceOps

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
        return [f"{ops} left out ({names}): no usable time, as they are written to have run at 0, before all else"]


def usable(ops: DeviceOps, earliest_ns: int | None) -> Timed:
    """Tell which ops have a usable time.

    Args:
        ops: of a trace.
        earliest_ns: when the first of all else in the trace began; None if nothing is known to have.
    """
    at_zero = np.asarray(ops.start_ns == 0, dtype=np.bool_)
    if not at_zero.any():
        return Timed(np.ones(len(ops), dtype=np.bool_), {})
    others = ops.start_ns[~at_zero]
    begins = [int(others.min())] if len(others) else []
    begins += [] if earliest_ns is None else [earliest_ns]
    first_ns = min(begins, default=0)
    empty = at_zero & (ops.end_ns == 0)
    lost = at_zero if first_ns > FAR_NS else empty if first_ns > 0 else np.zeros_like(at_zero)
    return Timed(np.asarray(~lost, dtype=np.bool_), dict(Counter(ops.name[lost].tolist())))

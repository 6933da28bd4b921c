"""Host calls that run at the same time on one thread, as no thread's can: several were written under one number.

Whoever joins the traces of several machines without changing the numbers of processes makes such files: in containers
the numbers are often the same. A call inside another, as the driver's in the runtime's, is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.intervals import distinct, running_end

if TYPE_CHECKING:
    from tracer.trace.columns import Trace

# Writers of whole microseconds round begin and length.
ROUNDED_NS = 2_000


def tangled_calls(trace: Trace) -> int:
    """How many calls begin inside an earlier one of their thread, and end behind it."""
    calls, found = trace.calls, 0
    start_ns, end_ns, thread = calls.start_ns, calls.end_ns, calls.thread
    for number in distinct(thread):
        own = np.flatnonzero(thread == number)
        own = own[np.lexsort((-end_ns[own], start_ns[own]))]
        reach_ns = running_end(end_ns[own])
        reach_ns[:1] = start_ns[own[:1]]
        inside = (start_ns[own] + ROUNDED_NS < reach_ns) & (end_ns[own] > reach_ns + ROUNDED_NS)
        found += int(np.count_nonzero(inside))
    return found

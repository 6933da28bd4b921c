"""Device time by kernel name and by category."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded
from tracer.charge.intervals import sum_by
from tracer.document.summary import Kernel
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.work import Work

NEEDS = Want.OPS


def kernel_rows(strings: list[str], work: Work, rows: I64) -> list[Kernel]:
    """One row for each name that some work has, most time first.

    Args:
        strings: the trace's names.
        work: the trace's.
        rows: those that count.
    """
    names, name = coded(work.name[rows])
    time_ns = sum_by(name, work.time_ns[rows], len(names))
    count = np.bincount(name, minlength=len(names))
    found = [Kernel(name=strings[names[i]], count=int(count[i]), time_ns=int(time_ns[i])) for i in range(len(names))]
    return sorted(found, key=lambda kernel: (-kernel.time_ns, -kernel.count, kernel.name))

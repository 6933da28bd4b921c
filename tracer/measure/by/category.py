"""By the kernel's category: matrix product, attention, copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.arrays import int64
from tracer.charge.intervals import distinct
from tracer.kernels.categories import categorise
from tracer.measure.ways import Keys, Way, numbered

if TYPE_CHECKING:
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace


def _keys(trace: Trace, work: Work) -> Keys:
    labels = [""] * len(trace.strings)
    for name in distinct(work.name):
        labels[name] = categorise(trace.strings[name])
    return numbered(labels, int64(work.name))


WAY = Way(keys=_keys, meaning="category: by the kernel's name.")

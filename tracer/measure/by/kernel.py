"""By the kernel's name, or the operator's on a CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.arrays import int64
from tracer.measure.ways import Keys, Way, numbered
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace


def _keys(trace: Trace, work: Work) -> Keys:
    return numbered(trace.strings, int64(work.name))


WAY = Way(keys=_keys, needs=Want.SUMMARY | Want.LAUNCHED, meaning="kernel: by name.")

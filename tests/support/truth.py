"""Recordings in which ranges `truth/<stage>` say what is right, under names that no reader of stages knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.spans import innermost_span
from tracer.document.names import ALL_STAGES

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import Trace

PREFIX = "truth/"


def true_stages(trace: Trace, times_ns: I64, thread: I64) -> I64:
    """The right stage at each time, index into ALL_STAGES; -1 where nothing says it."""
    own = [trace.strings[name].startswith(PREFIX) for name in trace.ranges.name.tolist()]
    ranges = trace.ranges[np.array(own, dtype=np.bool_)]
    kinds = [trace.strings[name].removeprefix(PREFIX).partition("#")[0] for name in ranges.name.tolist()]
    place = innermost_span(ranges, times_ns, thread)
    return int64([*map(ALL_STAGES.index, kinds), -1])[place]


def told_stages(found: StageRanges, times_ns: I64, thread: I64) -> I64:
    """The stage that was found at each time, index into ALL_STAGES; -1 outside all."""
    return int64(np.append(found.stage, -1)[innermost_span(found, times_ns, thread)])

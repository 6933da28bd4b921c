"""One row for each decode step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.document.names import DECODE
from tracer.document.summary import Token
from tracer.measure.idle import idle_of
from tracer.measure.lost import lost_ops
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.measure.counts import RangeCounts
    from tracer.measure.runs import Runs

NEEDS = Want.SUMMARY


def token_rows(runs: Runs, counts: RangeCounts) -> list[Token]:
    """The decode steps in the order of requests and tokens; none for decoding that is marked as a whole.

    Args:
        runs: of the trace's stages.
        counts: of the same ranges.
    """
    return [_row(runs, counts, step) for step in steps_of(runs).tolist()]


def steps_of(runs: Runs) -> I64:
    """The decode steps in that order, as rows of the ranges."""
    ranges, own = runs.ranges, runs.of(DECODE)
    steps = own[ranges.index[own] >= 0]
    return int64(steps[np.lexsort((steps, ranges.index[steps], ranges.request[steps]))])


def _row(runs: Runs, counts: RangeCounts, step: int) -> Token:
    ranges, own = runs.ranges, int64([step])
    recorded = len(runs.recorded(own)) > 0
    idle = idle_of(runs, own) if recorded and not runs.in_gap[step] else None
    return Token(
        request=int(ranges.request[step]),
        index=int(ranges.index[step]),
        ops=int(runs.ops[step]),
        device_time_ns=int(runs.time_ns[step]) if recorded else None,
        busy_ns=int(runs.busy_ns[step]) if recorded else None,
        idle_ns=None if idle is None else idle.total_ns,
        idle=idle,
        cpu_ns=int(ranges.end_ns[step] - ranges.start_ns[step]),
        counts=counts.of(own),
        lost=lost_ops(runs, own),
    )

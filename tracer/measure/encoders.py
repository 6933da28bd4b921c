"""The marked runs of the vision encoder, wherever they happen: in its stage, or again in a later one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int32
from tracer.charge.intervals import sum_by
from tracer.charge.spans import innermost_span
from tracer.document.names import ALL_STAGES
from tracer.trace.columns import Spans

if TYPE_CHECKING:
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work


@dataclass(frozen=True, slots=True)
class EncoderRuns:
    """Each run of the encoder, in the order of their ranges.

    Attributes:
        stage: the innermost stage around it; "" outside all.
        time_ns: device time of the work launched inside it and no run inside it; of a CPU run that of the operators.
    """

    stage: list[str]
    time_ns: list[int]


def encoder_runs(ranges: StageRanges, work: Work) -> EncoderRuns:
    """Find the stage and the work of each run: what its thread asked for inside; of runs in runs the inner has it."""
    runs = len(ranges.encoder_start_ns)
    holder = innermost_span(ranges, ranges.encoder_start_ns, ranges.encoder_thread)
    codes = np.where(holder >= 0, ranges.stage[np.maximum(holder, 0)], -1) if len(ranges) else holder
    spans = Spans(ranges.encoder_start_ns, ranges.encoder_end_ns, int32(np.zeros(runs)), int32(ranges.encoder_thread))
    run = innermost_span(spans, work.call_start_ns, work.call_thread)
    held = np.flatnonzero((run >= 0) & work.asked)
    return EncoderRuns(
        stage=[ALL_STAGES[code] if code >= 0 else "" for code in codes.tolist()],
        time_ns=list(sum_by(run[held], work.time_ns[held], runs).tolist()),
    )

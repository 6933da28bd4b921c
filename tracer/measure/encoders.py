"""The marked runs of the vision encoder, wherever they happen: in its stage, or again in a later one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int32, int64
from tracer.charge.attribution import innermost_stage
from tracer.charge.intervals import sum_by
from tracer.document.names import ALL_STAGES
from tracer.trace.columns import Spans

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.attribution import Attribution
    from tracer.charge.ledger import Charges
    from tracer.charge.stages.find import StageRanges
    from tracer.trace.columns import Trace


@dataclass(frozen=True, slots=True)
class EncoderRuns:
    """Each run of the encoder, in the order of their ranges.

    Attributes:
        stage: the innermost stage around it; "" outside all.
        time_ns: device time of the work launched inside it and no run inside it; of a CPU run that of the operators.
    """

    stage: list[str]
    time_ns: list[int]


def encoder_runs(trace: Trace, ranges: StageRanges, attribution: Attribution, charges: Charges) -> EncoderRuns:
    """Find the stage and the work of each run."""
    holder = innermost_stage(ranges, ranges.encoder_start_ns, ranges.encoder_thread)
    codes = np.where(holder >= 0, ranges.stage[np.maximum(holder, 0)], -1) if len(ranges) else holder
    return EncoderRuns(
        stage=[ALL_STAGES[code] if code >= 0 else "" for code in codes.tolist()],
        time_ns=_work_within(trace, ranges, attribution, charges),
    )


def _work_within(trace: Trace, ranges: StageRanges, attribution: Attribution, charges: Charges) -> list[int]:
    """Time of the work launched inside each run on its thread; of runs inside runs the inner has it, so none twice."""
    runs = len(ranges.encoder_start_ns)
    spans = Spans(ranges.encoder_start_ns, ranges.encoder_end_ns, int32(np.zeros(runs)), int32(ranges.encoder_thread))
    run = innermost_stage(spans, *_asked_for(trace, attribution, charges))
    held = np.flatnonzero(run >= 0)
    return list(sum_by(run[held], charges.time_ns[held], runs).tolist())


def _asked_for(trace: Trace, attribution: Attribution, charges: Charges) -> tuple[I64, I64]:
    """When and by which thread each piece of work was asked for; by thread -1 where that is unknown."""
    if charges.kind != "gpu":
        return charges.start_ns, int64(trace.cpu_ops.thread)
    start, thread = np.full((2, len(charges)), -1, dtype=np.int64)
    known = np.flatnonzero(attribution.call >= 0)
    call = attribution.call[known]
    start[known], thread[known] = trace.calls.start_ns[call], trace.calls.thread[call]
    return start, thread

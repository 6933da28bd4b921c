"""The marked runs of the vision encoder, wherever they happen: in its stage, or again in a later one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.intervals import distinct
from tracer.charge.spans import innermost_span
from tracer.document.names import ALL_STAGES

if TYPE_CHECKING:
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work


@dataclass(frozen=True, slots=True)
class EncoderRuns:
    """Each run of the encoder, in the order of their ranges.

    Attributes:
        stage: the innermost stage around it; "" outside all.
        time_ns: device time of the work launched inside it; of a CPU run that of the operators.
    """

    stage: list[str]
    time_ns: list[int]


def encoder_runs(ranges: StageRanges, work: Work) -> EncoderRuns:
    """Find the stage and the work of each run."""
    holder = innermost_span(ranges, ranges.encoder_start_ns, ranges.encoder_thread)
    codes = np.where(holder >= 0, ranges.stage[np.maximum(holder, 0)], -1) if len(ranges) else holder
    return EncoderRuns(
        stage=[ALL_STAGES[code] if code >= 0 else "" for code in codes.tolist()],
        time_ns=_work_within(ranges, work),
    )


def _work_within(ranges: StageRanges, work: Work) -> list[int]:
    """Time of the work launched inside each run on its thread."""
    start, thread = work.call_start_ns, work.call_thread
    time_ns = np.zeros(len(ranges.encoder_start_ns), dtype=np.int64)
    for number in distinct(ranges.encoder_thread):
        runs = np.flatnonzero(ranges.encoder_thread == number)
        own = np.flatnonzero(work.asked & (thread == number))
        own = own[np.argsort(start[own], kind="stable")]
        total_ns = np.concatenate([[0], np.cumsum(work.time_ns[own])])
        first = np.searchsorted(start[own], ranges.encoder_start_ns[runs])
        behind = np.searchsorted(start[own], ranges.encoder_end_ns[runs])
        time_ns[runs] = total_ns[np.maximum(first, behind)] - total_ns[first]
    return list(time_ns.tolist())

"""What the device worked in one run of each stage, beside what the run took."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tracer.compare.verdicts import CANNOT_TELL, FASTER, SLOWER
from tracer.document.names import DECODE, TPOT
from tracer.statistics.robust import median

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.comparison import Row
    from tracer.document.summary import Summary

# The same kernels take the same time within so much; a latency that differs by more owes it to the host.
SAME_WORK = 0.02


def beside_device(rows: Sequence[Row], before: Sequence[Summary], after: Sequence[Summary]) -> list[Row]:
    """The rows with device times, medians over the recordings of each run."""
    first, second = _times(before), _times(after)
    same = _samples(before) == _samples(after)
    return [row if row.per else _beside(row, first.get(row.of), second.get(row.of), same) for row in rows]


def _samples(recordings: Sequence[Summary]) -> set[str]:
    return {request.sample_name for summary in recordings for request in summary.requests}


def _times(recordings: Sequence[Summary]) -> dict[str, float]:
    """Nanoseconds by measure; of a stage that lacks ops in some recording, nothing."""
    taken = [_of_one(summary) for summary in recordings]
    shared = set.intersection(*(set(one) for one in taken))
    return {name: float(median(np.array([one[name] for one in taken]))) for name in shared}


def _of_one(summary: Summary) -> dict[str, float]:
    if summary.device.kind != "gpu":
        return {}
    return {
        TPOT if stage.stage == DECODE else stage.stage: stage.device_time_ns / stage.runs
        for stage in summary.stages
        if stage.runs > 0 and stage.ops and stage.device_time_ns is not None
    }


def _beside(row: Row, before_ns: float | None, after_ns: float | None, same_samples: bool) -> Row:
    return msgspec.structs.replace(
        row,
        before_device_ns=before_ns,
        after_device_ns=after_ns,
        # Of other samples, equal work is a coincidence.
        of_host=same_samples and _of_host(row, before_ns, after_ns),
    )


def _of_host(row: Row, before_ns: float | None, after_ns: float | None) -> bool:
    if not before_ns or not after_ns or not row.ratio or row.verdict not in (SLOWER, FASTER, CANNOT_TELL):
        return False
    apart = max(row.ratio, 1 / row.ratio)
    worked = max(after_ns / before_ns, before_ns / after_ns)
    return worked <= 1 + SAME_WORK and apart > 1 + SAME_WORK + (row.allowance or 0)

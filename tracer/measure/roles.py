"""One row for each stage of each of several models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.document.names import ALL_STAGES
from tracer.document.summary import RoleStage

if TYPE_CHECKING:
    from tracer.measure.runs import Runs


def role_rows(runs: Runs) -> list[RoleStage]:
    """By role in the order of their first ranges, then by stage; of one model none. What has no role has "".

    They add up to the stages.
    """
    ranges = runs.ranges
    role = np.array(ranges.roles, dtype=np.str_)
    found = []
    for name in dict.fromkeys(ranges.roles):
        for stage in runs.stages():
            own = int64(np.flatnonzero((role == name) & (ranges.stage == ALL_STAGES.index(stage))))
            if len(own):
                found.append(_row(runs, name, stage, own))
    return found


def _row(runs: Runs, role: str, stage: str, own: np.ndarray) -> RoleStage:
    recorded, whole = len(runs.recorded(own)) == len(own), len(runs.whole(own)) == len(own)
    return RoleStage(
        role=role,
        stage=stage,
        calls=len(own),
        ops=int(runs.ops[own].sum()),
        device_time_ns=int(runs.time_ns[own].sum()) if recorded else None,
        busy_ns=int(runs.busy_ns[own].sum()) if recorded else None,
        idle_ns=int(runs.idle_ns[own].sum()) if whole else None,
        cpu_ns=runs.cpu_ns(own),
    )

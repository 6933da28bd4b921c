"""What each of several models did: passes, and all the work that its stages asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.spans import innermost_span
from tracer.charge.stages.batch import NO_LABEL
from tracer.charge.stages.modules import model_calls
from tracer.document.names import ALL_STAGES, DECODE, DRAFT, PREFILL, VERIFY
from tracer.document.summary import RoleWork

if TYPE_CHECKING:
    from tracer.arrays import Bools
    from tracer.charge.stages.ranges import StageRanges
    from tracer.measure.runs import Runs
    from tracer.trace.columns import Trace

_DRAFT = ALL_STAGES.index(DRAFT)
_PASSES = tuple(map(ALL_STAGES.index, (PREFILL, DECODE, VERIFY)))


def role_work(trace: Trace, runs: Runs) -> dict[str, RoleWork]:
    """By role, in the order of their first ranges; work in no role's stage is in none."""
    ranges, work = runs.ranges, runs.work
    role = np.array(ranges.roles, dtype=np.str_)
    inside = _in_passes(trace, runs)
    found = {}
    for name in dict.fromkeys(one for one in ranges.roles if one):
        own = role == name
        rows = np.append(own, False)[work.stage]
        recorded = not runs.lost[own].any()
        forward = None if inside is None else rows & inside
        found[str(name)] = RoleWork(
            passes=_passes(ranges, own),
            ops=int(rows.sum()),
            device_time_ns=int(work.time_ns[rows].sum()) if recorded else None,
            forward_ops=None if forward is None else int(forward.sum()),
            forward_time_ns=int(work.time_ns[forward].sum()) if forward is not None and recorded else None,
        )
    return found


def _passes(ranges: StageRanges, own: Bools) -> int | None:
    """Passes in these ranges: what their source counted; else one each, but of a draft nobody knows."""
    rows = np.flatnonzero(own & np.isin(ranges.stage, (*_PASSES, _DRAFT))).tolist()
    if ranges.passes:
        made = [ranges.passes[row] for row in rows]
        return None if any(count < 0 for count in made) else sum(made)
    if ranges.engine:
        # A step is a pass; what has no label of its own, as a range around all drafting, may hold several, as loops do.
        labels = [ranges.labels[row] for row in rows]
        return None if any(one == NO_LABEL or "LOOP" in one.mode for one in labels) else len(rows)
    drafts = bool((ranges.stage[rows] == _DRAFT).any())
    return None if drafts else len(rows)


def _in_passes(trace: Trace, runs: Runs) -> Bools | None:
    """Which work was asked for within a model's forward pass; None where no module's call was recorded."""
    calls = trace.modules[model_calls(trace)]
    if not len(calls):
        return None
    work = runs.work
    return np.asarray(innermost_span(calls, work.call_start_ns, work.call_thread) >= 0, dtype=np.bool_)

"""Device time by something else than the stage alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.intervals import sum_by
from tracer.document.names import ALL_STAGES
from tracer.document.summary import Abstained, Breakdown, BreakdownRow, RecordedRuns
from tracer.measure.launched import launches_by
from tracer.measure.ways import HostWay, ways

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.document.summary import Lost
    from tracer.measure.runs import Runs
    from tracer.trace.columns import Trace


# The way by which rows say how they were launched; and so many of the ways in which one kernel was.
KERNEL, MOST_LAUNCHES = "kernel", 6


def break_down(trace: Trace, runs: Runs, by: str) -> Breakdown:
    """Charge device time (a CPU trace's operators' own time) to stage and `by`, most time first.

    Of runs that lack device ops nothing is said, as their time is not known.

    Args:
        trace: with what this way needs.
        runs: of its stages.
        by: one of `ways`, by name.

    Raises:
        InputError: the trace has none of what is asked for.
    """
    way, ranges, work = ways()[by], runs.ranges, runs.work
    if isinstance(way, HostWay):
        return Breakdown(by=by, rows=[], host=way.rows(trace, ranges, work), meaning=way.meaning)
    keys = way.keys(trace, work)
    names = keys.names
    # Both in one number: the stage is -1 where there is none.
    cell = work.stage_code(ranges) + 1
    cell *= len(names)
    cell += keys.number
    size = (len(ALL_STAGES) + 1) * len(names)
    lacking = np.isin(runs.number, runs.number[runs.lost > 0])
    if lacking.any():
        cell[np.append(lacking, False)[work.stage]] = size
    count = np.bincount(cell, minlength=size)[:size]
    time_ns, busy_ns = sum_by(cell, work.time_ns, size + 1), sum_by(cell, work.busy_ns, size + 1)
    launched = launches_by(trace, work, cell) if by == KERNEL else {}
    rows = [
        BreakdownRow(
            stage=ALL_STAGES[place // len(names) - 1] if place >= len(names) else "",
            name=names[place % len(names)],
            ops=int(count[place]),
            device_time_ns=int(time_ns[place]),
            busy_ns=int(busy_ns[place]),
            launches=launched.get(place, [])[:MOST_LAUNCHES],
            launched_otherwise=max(0, len(launched.get(place, [])) - MOST_LAUNCHES),
        )
        for place in np.flatnonzero(count).tolist()
    ]
    order = {name: number for number, name in enumerate((*ALL_STAGES, ""))}
    rows.sort(key=lambda row: (order[row.stage], -row.device_time_ns, -row.ops, row.name))
    return Breakdown(
        by=by,
        rows=rows,
        by_external_id=keys.by_external_id,
        wrong_external_ids=keys.wrong_external_ids,
        graph_ops=keys.graph_ops,
        graph_ops_named=keys.graph_ops_named,
        meaning=way.meaning,
        in_part=[_in_part(runs, stage) for stage in runs.stages() if lacking[runs.of(stage)].any()],
    )


def _in_part(runs: Runs, stage: str) -> RecordedRuns:
    own = runs.of(stage)
    return RecordedRuns(stage=stage, runs=runs.count(runs.recorded(own)), of_runs=runs.count(own))


def unlisted(breakdown: Breakdown | None, lost: Lost | None) -> Iterator[Abstained]:
    """What is not broken down, since it was not recorded."""
    if breakdown is None or lost is None:
        return
    for one in breakdown.in_part:
        what = f"device time of {one.stage} by {breakdown.by}"
        yield Abstained(what=what, reason=lost.reason, next_step=lost.next_step)

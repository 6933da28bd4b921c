"""Device time by something else than the stage alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.intervals import sum_by
from tracer.document.names import ALL_STAGES
from tracer.document.summary import Breakdown, BreakdownRow
from tracer.measure.launched import launches_by
from tracer.measure.ways import HostWay, ways

if TYPE_CHECKING:
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace


# The way by which rows say how they were launched; and so many of the ways in which one kernel was.
KERNEL, MOST_LAUNCHES = "kernel", 6


def break_down(trace: Trace, ranges: StageRanges, work: Work, by: str) -> Breakdown:
    """Charge device time (a CPU trace's operators' own time) to stage and `by`, most time first.

    Args:
        trace: with what this way needs.
        ranges: its stages.
        work: of the trace.
        by: one of `ways`, by name.

    Raises:
        InputError: the trace has none of what is asked for.
    """
    way = ways()[by]
    if isinstance(way, HostWay):
        return Breakdown(by=by, rows=[], host=way.rows(trace, ranges, work), meaning=way.meaning)
    keys = way.keys(trace, work)
    names = keys.names
    # Both in one number: the stage is -1 where there is none.
    cell = work.stage_code(ranges) + 1
    cell *= len(names)
    cell += keys.number
    size = (len(ALL_STAGES) + 1) * len(names)
    count = np.bincount(cell, minlength=size)
    time_ns, busy_ns = sum_by(cell, work.time_ns, size), sum_by(cell, work.busy_ns, size)
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
    )

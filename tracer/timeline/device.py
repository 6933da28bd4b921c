"""The device's rows: its stages, its idle time by cause, and its streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int32, int64, rows_of_each
from tracer.charge.intervals import distinct
from tracer.document.timeline import IDLE, STAGES, STREAM
from tracer.timeline.drawn import Drawn, share
from tracer.timeline.merging import Merged, merged
from tracer.trace.columns import stream_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.arrays import I64
    from tracer.charge.work import Work
    from tracer.measure.runs import Runs
    from tracer.trace.columns import Trace

CAUSES = ("host", "sync", "launch", "unknown", "between")


def stage_track(runs: Runs, code: I64, most: int) -> tuple[Drawn, I64]:
    """The runs of the stages, each from the first instant of its work to the last, and the item that each is.

    Args:
        runs: of the trace.
        code: of each, what it is called, as an index into the timeline's stages.
        most: to be drawn.
    """
    ranges = runs.ranges
    rows = np.lexsort((-runs.end_ns, runs.start_ns))
    found = merged(runs.start_ns[rows], runs.end_ns[rows], most, [code[rows]])
    own = rows[found.rows]
    drawn = Drawn.of_items(STAGES, "stages", found, int64(rows), int32(np.zeros(len(runs))))
    number = np.empty(len(runs), dtype=np.int64)
    number[rows] = found.group
    drawn = drawn.with_columns(
        stage=code[own],
        index=ranges.index[own] + 1,
        request=ranges.request[own] + 1,
        busy=found.sum(runs.busy_ns[rows]),
        idle=found.sum(runs.idle_ns[rows]),
    )
    return drawn, number


def idle_track(work: Work, run: I64, own: I64, label: str, most: int) -> Drawn | None:
    """The gaps of a device, each charged to the op that ends it; None where it has none.

    Args:
        work: all of it.
        run: of each piece of work, the item of the track of stages; -1 outside all.
        own: that of one device.
        label: whose gaps these are.
        most: to be drawn of all devices.
    """
    rows = own[work.gap_ns[own] > 0]
    if not len(rows):
        return None
    device = int(work.device[rows[0]])
    rows = rows[np.lexsort((work.start_ns[rows], (work.start_ns - work.gap_ns)[rows]))]
    begin, end = (work.start_ns - work.gap_ns)[rows], work.start_ns[rows]
    found = merged(begin, end, share(most, len(rows), len(work)), [np.minimum(work.stage[rows], 0)])
    # Gaps that are drawn as one have work between them: what is drawn is as long as they are together.
    length = found.sum(end - begin)
    found = Merged(found.rows, found.start_ns, int64(found.start_ns + length), found.group)
    charged = (work.host_ns, work.sync_ns, work.launch_ns, work.unknown_ns, work.between_ns)
    drawn = Drawn.of_items(IDLE, label, found, int64(rows), int32(np.zeros(len(work))), device=device)
    causes = {cause: found.sum(column[rows]) for cause, column in zip(CAUSES, charged, strict=True)}
    return drawn.with_columns(run=run[drawn.source] + 1, **causes)


def stream_tracks(trace: Trace, work: Work, run: I64, call_number: I64, most: int) -> Iterator[Drawn]:
    """The ops of each stream, with the calls that launched them.

    Args:
        trace: may say how they were launched.
        work: its device ops.
        run: of each, the item of the track of stages; -1 outside all.
        call_number: of each call of the trace, its item.
        most: to be drawn of all streams.
    """
    shape = trace.launched.of_op if trace.launched is not None else np.full(len(work), -1, dtype=np.int64)
    number = np.append(call_number, -1)
    several = len(distinct(work.device)) > 1
    for device, on_device in rows_of_each(work.device):
        for stream, rows in _by_time(work, on_device):
            own = rows[np.lexsort((work.end_ns[rows], work.start_ns[rows]))]
            found = merged(
                work.start_ns[own], work.end_ns[own], share(most, len(own), len(work)), [np.minimum(work.stage[own], 0)]
            )
            label = f"device {device}, {stream_name(stream)}" if several else stream_name(stream)
            drawn = Drawn.of_items(STREAM, label, found, int64(own), work.name, device=device)
            yield drawn.with_columns(
                run=run[drawn.source] + 1,
                call=number[work.call[drawn.source]] + 1,
                shape=shape[drawn.source] + 1,
                **({"busy": found.sum(work.busy_ns[own])} if len(found.rows) < len(own) else {}),
            )


def _by_time(work: Work, on_device: I64) -> list[tuple[int, I64]]:
    """The streams of a device and their rows, the one with the most work first."""
    streams = [(stream, on_device[rows]) for stream, rows in rows_of_each(work.track[on_device])]
    return sorted(streams, key=lambda one: -int(work.time_ns[one[1]].sum()))

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
    from collections.abc import Collection, Iterator

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


def idle_tracks(work: Work, run: I64, known: Collection[int], most: int) -> Iterator[Drawn]:
    """The gaps of each device that has any, each charged to the op that ends it.

    Args:
        work: all of it.
        run: of each piece of work, the item of the track of stages; -1 outside all.
        known: the devices of which it is known when they idled.
        most: to be drawn of all devices.
    """
    # Each column once, as many devices as there may be.
    gap_ns, end_ns, stage = work.gap_ns, work.start_ns, work.stage
    charged = (work.host_ns, work.sync_ns, work.launch_ns, work.unknown_ns, work.between_ns)
    nameless = np.broadcast_to(np.int32(0), len(work))
    devices = list(rows_of_each(work.device))
    for device, own in devices:
        rows = own[gap_ns[own] > 0]
        if device not in known or not len(rows):
            continue
        rows = rows[np.lexsort((end_ns[rows], end_ns[rows] - gap_ns[rows]))]
        begin, end = end_ns[rows] - gap_ns[rows], end_ns[rows]
        found = merged(begin, end, share(most, len(rows), len(work)), [np.minimum(stage[rows], 0)])
        # Gaps that are drawn as one have work between them: what is drawn is as long as they are together.
        length = found.sum(end - begin)
        found = Merged(found.rows, found.start_ns, int64(found.start_ns + length), found.group)
        label = "idle, by cause" if len(devices) == 1 else f"device {device}: idle, by cause"
        drawn = Drawn.of_items(IDLE, label, found, int64(rows), nameless, device=device)
        causes = {cause: found.sum(column[rows]) for cause, column in zip(CAUSES, charged, strict=True)}
        yield drawn.with_columns(run=run[drawn.source] + 1, **causes)


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
    # Each column once, as many streams as there may be.
    start_ns, end_ns, time_ns, busy_ns = work.start_ns, work.end_ns, work.time_ns, work.busy_ns
    stage, name, call, track = work.stage, work.name, work.call, work.track
    several = len(distinct(work.device)) > 1
    for device, on_device in rows_of_each(work.device):
        for stream, rows in _by_time(track, time_ns, on_device):
            own = rows[np.lexsort((end_ns[rows], start_ns[rows]))]
            most_here = share(most, len(own), len(work))
            found = merged(start_ns[own], end_ns[own], most_here, [np.minimum(stage[own], 0)])
            label = f"device {device}, {stream_name(stream)}" if several else stream_name(stream)
            drawn = Drawn.of_items(STREAM, label, found, int64(own), name, device=device)
            yield drawn.with_columns(
                run=run[drawn.source] + 1,
                call=number[call[drawn.source]] + 1,
                shape=shape[drawn.source] + 1,
                **({"busy": found.sum(busy_ns[own])} if len(found.rows) < len(own) else {}),
            )


def _by_time(track: I64, time_ns: I64, on_device: I64) -> list[tuple[int, I64]]:
    """The streams of a device and their rows, the one with the most work first."""
    streams = [(stream, on_device[rows]) for stream, rows in rows_of_each(track[on_device])]
    return sorted(streams, key=lambda one: -int(time_ns[one[1]].sum()))

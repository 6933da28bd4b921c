"""What is allocated on each device over time, and the stages meanwhile, bounded whatever the size of the trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.launches import process_of_thread
from tracer.charge.memory import device_lines
from tracer.document.names import ALL_STAGES
from tracer.document.timeline import MemoryCurve, StageBand

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.memory import DeviceLine
    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import Trace

# Of a longer line the lowest and the highest of each of so many equal times, which a wide screen shows as one dot.
MOST_CELLS = 1000
MOST_BANDS = 400
# Ranges of one stage that follow each other within such a part of the whole are one.
NEAR = 1000


def memory_curves(trace: Trace, ranges: StageRanges, origin_ns: int) -> list[MemoryCurve]:
    """A curve for each device whose allocator reports its total; times are behind `origin_ns`."""
    of_thread = process_of_thread(trace)
    process = of_thread[ranges.thread]
    names = dict(zip(of_thread.tolist(), (name for name, _ in trace.threads), strict=True))
    return [
        _curve(line, names.get(line.process, ""), ranges, np.flatnonzero(process == line.process), origin_ns)
        for line in device_lines(trace)
    ]


def _curve(line: DeviceLine, process: str, ranges: StageRanges, own: I64, origin_ns: int) -> MemoryCurve:
    start_ns = min([int(line.time_ns[0]), *ranges.start_ns[own].tolist()])
    end_ns = max([int(line.time_ns[-1]) + 1, *ranges.end_ns[own].tolist()])
    rows = telling(line.time_ns, line.total_bytes)
    bands, left_out = _bands(ranges, own, (end_ns - start_ns) // NEAR)
    return MemoryCurve(
        process=process,
        device=line.device,
        start_ns=start_ns - origin_ns,
        end_ns=end_ns - origin_ns,
        before_bytes=line.before_bytes,
        times_ns=(line.time_ns[rows] - origin_ns).tolist(),
        total_bytes=line.total_bytes[rows].tolist(),
        changes=len(line.time_ns),
        bands=[
            StageBand(stage=ALL_STAGES[stage], start_ns=first - origin_ns, end_ns=last - origin_ns)
            for stage, first, last in bands
        ],
        bands_left_out=left_out,
    )


def telling(time_ns: I64, values: I64, cells: int = MOST_CELLS) -> I64:
    """Of a line in the order of time the rows that are drawn: all, or of each cell its lowest and its highest.

    The first row, the last and the first of the highest are among them, and nothing is drawn that is not in the line.
    """
    if len(values) <= 2 * cells:
        return np.arange(len(values), dtype=np.int64)
    length = max(int(time_ns[-1] - time_ns[0]), 1)
    # Divided by a cell's length: years in nanoseconds times cells would leave 64 bits.
    cell = np.minimum((time_ns - time_ns[0]) // max(-(-length // cells), 1), cells - 1)
    kept = [int64([0, len(values) - 1])]
    for signed in (values, -values):
        order = np.lexsort((np.arange(len(values)), signed, cell))
        kept.append(int64(order[np.flatnonzero(np.diff(cell[order], prepend=-1))]))
    return np.unique(np.concatenate(kept))


def _bands(ranges: StageRanges, own: I64, near_ns: int) -> tuple[list[tuple[int, int, int]], int]:
    """Stage, start and end of what is shaded, neighbours of one stage as one; and how many short ones are not."""
    bands: list[tuple[int, int, int]] = []
    for row in own[np.argsort(ranges.start_ns[own], kind="stable")].tolist():
        stage, start, end = int(ranges.stage[row]), int(ranges.start_ns[row]), int(ranges.end_ns[row])
        if bands and bands[-1][0] == stage and start - bands[-1][2] <= near_ns:
            bands[-1] = (stage, bands[-1][1], max(end, bands[-1][2]))
        else:
            bands.append((stage, start, end))
    longest = sorted(bands, key=lambda band: band[1] - band[2])[:MOST_BANDS]
    return sorted(longest, key=lambda band: band[1]), len(bands) - len(longest)

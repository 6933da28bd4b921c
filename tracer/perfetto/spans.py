"""Where the stages lie on the devices: a span for each run of a stage on each device that it used.

A span reaches from the start of the run's first op to the end of its last, so it holds the gaps between them, and what
others ran there. Perfetto's slices of one track must nest. Two spans that cross are therefore drawn in parts: the one
that began later is cut where the one around it ends. Its figures stand at its first part, so that their sums are right.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.arrays import I64, Bools
    from tracer.charge.work import Work

# A span that crosses more than so many others is drawn to the last of these.
MOST_PARTS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSpans:
    """One row for each stage range and device, by device and then by range.

    Attributes:
        device, stage: the device's id (`NO_DEVICE` of operators), and the range as a row of the stage ranges.
        start_ns, end_ns: of the span.
        ops, time_ns, busy_ns, host_ns, sync_ns, launch_ns, unknown_ns: of its work, as `Work` has it, added up.
        doubtful: how many of its gaps may have held work that was not recorded.
    """

    device: I64
    stage: I64
    start_ns: I64
    end_ns: I64
    ops: I64
    time_ns: I64
    busy_ns: I64
    host_ns: I64
    sync_ns: I64
    launch_ns: I64
    unknown_ns: I64
    doubtful: I64


def device_spans(work: Work, in_doubt: Bools | None = None) -> DeviceSpans:
    """The spans of a trace's work.

    Args:
        work: of the trace.
        in_doubt: the pieces before which something may have run that was not recorded; None of none.
    """
    doubtful = np.zeros(len(work), dtype=np.int64) if in_doubt is None or not len(in_doubt) else int64(in_doubt)
    held = np.flatnonzero(work.stage >= 0)
    order = held[np.lexsort((work.stage[held], work.device[held]))]
    device, stage = work.device[order], work.stage[order]
    changes = (np.diff(device) != 0) | (np.diff(stage) != 0)
    begin = np.append(0, np.flatnonzero(changes) + 1) if len(order) else int64([])

    def total(column: I64) -> I64:
        return int64(np.add.reduceat(column[order], begin)) if len(begin) else int64([])

    return DeviceSpans(
        device=device[begin],
        stage=stage[begin],
        start_ns=int64(np.minimum.reduceat(work.start_ns[order], begin) if len(begin) else []),
        end_ns=int64(np.maximum.reduceat(work.end_ns[order], begin) if len(begin) else []),
        ops=int64(np.diff(np.append(begin, len(order)))),
        time_ns=total(work.time_ns),
        busy_ns=total(work.busy_ns),
        host_ns=total(work.host_ns),
        sync_ns=total(work.sync_ns),
        launch_ns=total(work.launch_ns),
        unknown_ns=total(work.unknown_ns),
        doubtful=total(doubtful),
    )


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a span.

    Attributes:
        span: which, as a row of those that were given.
        start_ns, end_ns: of the part.
        number: among its span's, from 0.
    """

    span: int
    start_ns: int
    end_ns: int
    number: int


def nested(start_ns: I64, end_ns: I64) -> Iterator[Part]:
    """The same spans in parts that nest or lie apart, in the order of their start, outer ones first."""
    waiting = [
        (start, -end, span, 0) for span, (start, end) in enumerate(zip(start_ns.tolist(), end_ns.tolist(), strict=True))
    ]
    heapq.heapify(waiting)
    around: list[int] = []  # the ends of what is open, the innermost last
    while waiting:
        start, end, span, number = heapq.heappop(waiting)
        end = -end
        while around and around[-1] <= start:
            around.pop()
        stop = min(end, around[-1]) if around else end
        if stop < end and number + 1 < MOST_PARTS:
            heapq.heappush(waiting, (stop, -end, span, number + 1))
        around.append(stop)
        yield Part(span, start, stop, number)

"""How much of decoding's device time is in kernels whose blocks fill but a part of the device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
from tracer.charge.intervals import distinct, sum_by
from tracer.document.names import ALL_STAGES, DECODE
from tracer.kernels.categories import categorise
from tracer.trace.columns import OpKind, Want

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer.arrays import I64, Bools
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace

# Of the multiprocessors.
FILLED = 0.5
# A kernel takes a microsecond or three whatever it does; what takes no longer is not slow for want of blocks.
LEAST_NS = 5_000
# What has few blocks on purpose.
OTHERWISE = ("collective", "copy")
SHOWN = 3
# What no device takes is damage.
MOST_BLOCKS = 1 << 62
NEEDS = Want.OPS | Want.CALLS | Want.LAUNCHED


@dataclass(frozen=True, slots=True)
class FewBlocks:
    """Such kernels of decode steps.

    Attributes:
        time_ns, of_ns: how long they keep the device busy, and all of decoding does.
        empty: share of the multiprocessors that have none of their blocks, on average over that time.
        multiprocessors: of the device.
        kernels: those with most time: name, time and the most blocks that it was launched with.
    """

    time_ns: int
    of_ns: int
    empty: float
    multiprocessors: int
    kernels: list[tuple[str, int, int]]


def few_blocks(
    trace: Trace, ranges: StageRanges, work: Work, launches: Callable[[], Trace] | None = None
) -> FewBlocks | None:
    """Add them up; None where there are none, or nothing says how kernels were launched, or on how large a device.

    Args:
        trace: the work's.
        ranges: its stages.
        work: of the trace.
        launches: reads the same file for how its kernels were launched, where the trace was not.
    """
    multiprocessors, decode = _multiprocessors(trace, work), work.stage_code(ranges) == ALL_STAGES.index(DECODE)
    if not multiprocessors or not work.on_device or not decode.any():
        return None
    blocks = _blocks(trace, launches)
    if blocks is None:
        return None
    filled = blocks / multiprocessors
    few = decode & (blocks > 0) & (filled <= FILLED) & (work.time_ns >= LEAST_NS) & _judged(trace, work)
    time_ns = int(work.busy_ns[few].sum())
    if not time_ns:
        return None
    return FewBlocks(
        time_ns=time_ns,
        of_ns=int(work.busy_ns[decode].sum()),
        empty=float((work.busy_ns[few] * (1 - filled[few])).sum()) / time_ns,
        multiprocessors=multiprocessors,
        kernels=_largest(trace, work, np.flatnonzero(few), blocks),
    )


def _blocks(trace: Trace, launches: Callable[[], Trace] | None) -> I64 | None:
    """Of each device op how many blocks it was launched with, 0 where nothing says it."""
    launched = trace.launched
    if launched is None and launches is not None:
        again = launches()
        # Of a part of the file, which a person chose, the rows are others.
        launched = again.launched if np.array_equal(again.ops.start_ns, trace.ops.start_ns) else None
    if launched is None or not launched.shapes:
        return None
    counts = [math.prod(shape.grid) if shape.grid else 0 for shape in launched.shapes]
    # One more element, for the -1 of what the file says nothing of.
    return int64([*(count if count < MOST_BLOCKS else 0 for count in counts), 0])[launched.of_op]


def _judged(trace: Trace, work: Work) -> Bools:
    """Which are kernels that may be judged by their blocks."""
    judged = np.zeros(len(trace.strings), dtype=np.bool_)
    for name in distinct(work.name):
        judged[name] = categorise(trace.strings[name]) not in OTHERWISE
    return np.asarray(judged[work.name] & (work.kind == OpKind.KERNEL), dtype=np.bool_)


def _multiprocessors(trace: Trace, work: Work) -> int | None:
    """Of the device, or of several if they are alike: by the file, or by the recording."""
    used = set(distinct(work.device))
    found = {one.multiprocessors for one in trace.devices if one.id in used}
    if found <= {None} and trace.manifest is not None:
        found = {trace.manifest.device.get("multiprocessors")}
    only = found.pop() if len(found) == 1 else None
    return only if isinstance(only, int) and only > 0 else None


def _largest(trace: Trace, work: Work, rows: I64, blocks: I64) -> list[tuple[str, int, int]]:
    names, place = coded(work.name[rows])
    most = np.zeros(len(names), dtype=np.int64)
    np.maximum.at(most, place, blocks[rows])
    times_ns = sum_by(place, work.busy_ns[rows], len(names)).tolist()
    found = zip([trace.strings[name] for name in names.tolist()], times_ns, most.tolist(), strict=True)
    return sorted(found, key=lambda one: (-one[1], one[0]))[:SHOWN]

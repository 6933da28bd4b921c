"""How long the device would be busy if a compiler fused PyTorch's own small kernels.

Between two kernels that no compiler takes apart (a matrix product, attention, a copy to the host) PyTorch runs a row of
its own: elementwise, norm, softmax, reducing and copying kernels, each of which reads what the one before wrote. Fused,
the row reads its inputs once and writes its result once. No trace says how many bytes those are; but the row's longest
kernel moves bytes of the same kind, so the row is taken to last as long as that kernel alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from tracer.arrays import int32, is_ascending, parts
from tracer.charge.intervals import PIECE, distinct
from tracer.document.names import ALL_STAGES, DECODE
from tracer.kernels.fusible import concatenates, is_fusible
from tracer.packed import rows_of_pairs, some
from tracer.trace.columns import OpKind, Want

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.arrays import I32, I64, Bools
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.document.summary import RunTime
    from tracer.measure.runs import Runs
    from tracer.trace.columns import Trace

NEEDS = Want.SUMMARY


def with_fused(times: Mapping[str, RunTime], trace: Trace, runs: Runs) -> dict[str, RunTime]:
    """The same, with the time that a decode step would be busy if its kernels were fused."""
    own = runs.recorded(runs.of(DECODE))
    fused_ns = fused_decode(trace, runs.ranges, runs.work, own)
    worked_ns = times[DECODE].busy_ns if DECODE in times else None
    if fused_ns is None or worked_ns is None:
        return dict(times)
    busy_ns = int(runs.busy_ns[own].sum())
    # Of several devices that work at once the same share is left of the time that passes.
    left = fused_ns / busy_ns if busy_ns else 0.0
    return {**times, DECODE: replace(times[DECODE], fused_ns=worked_ns * left)}


def fused_decode(trace: Trace, ranges: StageRanges, work: Work, own: I64 | None = None) -> int | None:
    """Busy time of all decode steps, in nanoseconds, with every row of fusible kernels fused.

    A row is unbroken on its stream and within one step. Concatenating kernels are left out: what is compiled runs over
    a static cache.

    Args:
        trace: has the names.
        ranges: its stages.
        work: of the trace.
        own: the decode steps that count, as rows of the ranges; all if None.

    Returns:
        None where the device ran nothing in decode steps.
    """
    if not work.on_device:
        return None
    counts = np.zeros(len(ranges) + 1, dtype=np.bool_)  # the last, of work of no stage, does not
    counts[slice(-1) if own is None else own] = True
    counts[:-1] &= ranges.stage == ALL_STAGES.index(DECODE)
    chosen, name = counts[work.stage], work.name
    if not chosen.any():
        return None
    fusible, gone = _by_name(trace.strings, name[chosen])
    chosen &= ~gone[name]
    fuses = fusible[name] & (work.kind == OpKind.KERNEL)
    del name
    return sum(_fused(work, rows[chosen[rows]], fuses) for rows in rows_of_pairs(work, "device", "track"))


def _fused(work: Work, rows: I32, fuses: Bools) -> int:
    """The busy time of a track's work with every row of fusible kernels fused.

    Args:
        work: of the trace.
        rows: of the track.
        fuses: which of all work is fusible.
    """
    step = int32(work.stage)[rows]
    if not is_ascending(step):
        order = np.argsort(step, kind="stable")
        rows, step = rows[order], step[order]
    fused_ns = 0
    for part in parts(step, PIECE):
        own, of = rows[part], step[part]
        order = np.lexsort((some(work, "start_ns", own), of))
        own, of = own[order], of[order]
        begins = np.ones(len(own), dtype=np.bool_)
        begins[1:] = ~(fuses[own[1:]] & fuses[own[:-1]]) | (of[1:] != of[:-1])
        fused_ns += int(np.maximum.reduceat(some(work, "busy_ns", own), np.flatnonzero(begins)).sum())
    return fused_ns


def _by_name(strings: list[str], names: I32) -> tuple[Bools, Bools]:
    """For each string: whether it is one of these names and fusible, and whether it is one that concatenates."""
    fusible, gone = (np.zeros(len(strings), dtype=np.bool_) for _ in range(2))
    for name in distinct(names):
        fusible[name] = is_fusible(strings[name])
        gone[name] = concatenates(strings[name])
    return fusible, gone

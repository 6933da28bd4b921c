"""How long the device would be busy if a compiler fused PyTorch's own small kernels.

Between two kernels that no compiler takes apart (a matrix product, attention, a copy to the host) PyTorch runs a row of
its own: elementwise, norm, softmax, reducing and copying kernels, each of which reads what the one before wrote. Fused,
the row reads its inputs once and writes its result once. No trace says how many bytes those are; but the row's longest
kernel moves bytes of the same kind, so the row is taken to last as long as that kernel alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct
from tracer.document.names import ALL_STAGES, DECODE
from tracer.kernels.fusible import concatenates, is_fusible
from tracer.trace.columns import OpKind

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.charge.ledger import Charges
    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import Trace


def fused_decode(trace: Trace, ranges: StageRanges, charges: Charges) -> int | None:
    """Busy time of all decode steps, in nanoseconds, with every row of fusible kernels fused.

    A row is unbroken on its stream and within one step. Concatenating kernels are left out: what is compiled runs over
    a static cache.

    Args:
        trace: with its device ops.
        ranges: its stages.
        charges: of its ops.

    Returns:
        None where the device ran nothing in decode steps.
    """
    if charges.kind != "gpu" or not len(ranges):
        return None
    ops, decode = trace.ops, ALL_STAGES.index(DECODE)
    rows = np.flatnonzero((charges.stage >= 0) & (ranges.stage[np.maximum(charges.stage, 0)] == decode))
    if not len(rows):
        return None
    fusible, gone = _by_name(trace, int64(rows))
    rows = rows[~gone[ops.name[rows]]]
    rows = rows[np.lexsort((ops.start_ns[rows], ops.stream[rows], ops.device[rows], charges.stage[rows]))]
    fuses = fusible[ops.name[rows]] & (ops.kind[rows] == OpKind.KERNEL)
    begins = np.ones(len(rows), dtype=np.bool_)
    begins[1:] = ~(fuses[1:] & fuses[:-1])
    for track in (charges.stage, ops.device, ops.stream):
        begins[1:] |= track[rows][1:] != track[rows][:-1]
    if not len(rows):
        return 0
    return int(np.maximum.reduceat(charges.busy_ns[rows], np.flatnonzero(begins)).sum())


def _by_name(trace: Trace, rows: I64) -> tuple[Bools, Bools]:
    """For each string of the trace: whether these ops have it as a fusible name, and whether it concatenates."""
    fusible, gone = (np.zeros(len(trace.strings), dtype=np.bool_) for _ in range(2))
    for name in distinct(trace.ops.name[rows]):
        fusible[name] = is_fusible(trace.strings[name])
        gone[name] = concatenates(trace.strings[name])
    return fusible, gone

"""How kernels were launched: grid, block, registers, shared memory and occupancy, where a trace says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
from tracer.charge.intervals import sum_by
from tracer.document.summary import LaunchedAs

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace


def launches_by(trace: Trace, work: Work, key: I64) -> dict[int, list[LaunchedAs]]:
    """The ways in which the work of each key was launched, the most time first.

    Args:
        trace: with `launched`, if that is to be said.
        work: of the trace.
        key: of each piece of work, 0 or above.

    Returns:
        By key; those of which nothing is said are not in it.
    """
    if trace.launched is None or not work.on_device or not trace.launched.shapes:
        return {}
    of_op, shapes = trace.launched.of_op, trace.launched.shapes
    told = np.flatnonzero(of_op >= 0)
    pairs, pair = coded(int64(key[told] * len(shapes) + of_op[told]))
    time_ns, count = sum_by(pair, work.time_ns[told], len(pairs)), np.bincount(pair, minlength=len(pairs))
    found: dict[int, list[LaunchedAs]] = {}
    for number in np.argsort(-time_ns, kind="stable").tolist():
        of_key, of_shape = divmod(int(pairs[number]), len(shapes))
        shape = shapes[of_shape]
        row = LaunchedAs(
            grid=shape.grid,
            block=shape.block,
            registers=shape.registers,
            shared_bytes=shape.shared_bytes,
            occupancy=shape.occupancy,
            count=int(count[number]),
            time_ns=int(time_ns[number]),
        )
        found.setdefault(of_key, []).append(row)
    return found

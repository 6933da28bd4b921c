"""How kernels were launched, of an export of Nsight Systems."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
from tracer.trace.columns import MISSING, Launched, LaunchShape, OpKind
from tracer.trace.nsight.nodes import read_nodes
from tracer.trace.nsight.occupancy import limits_of, occupancy
from tracer.trace.nsight.tables import OP_TABLES, usable_rows

if TYPE_CHECKING:
    from tracer.trace.nsight.database import Database
    from tracer.trace.nsight.occupancy import Limits

TIMES = ("start", "end")
COLUMNS = (
    "gridX", "gridY", "gridZ", "blockX", "blockY", "blockZ", "registersPerThread", "staticSharedMemory",
    "dynamicSharedMemory",
)  # fmt: skip


def read_launched(database: Database, ops: int) -> Launched:
    """How each of so many device ops was launched; kernels come first of them, in the order of their table.

    Raises:
        InputError: the file is damaged.
    """
    table, _ = OP_TABLES[OpKind.KERNEL]
    _, _, *columns = usable_rows(database.integers(table, (*TIMES, *COLUMNS)), Counter())
    number = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:  # numbered anew behind each, so that no column's values can push the others' out of 64 bits
        values, value = coded(column)
        _, number = coded(int64(number * len(values) + value))
    _, first = np.unique(number, return_index=True)
    limits = limits_of(database)
    shapes = [_shape([int(column[row]) for column in columns], limits) for row in first.tolist()]
    of_op = int64(np.append(number, np.full(ops - len(number), -1)))
    return Launched(of_op, shapes, read_nodes(database, ops))


def _shape(values: list[int], limits: Limits | None) -> LaunchShape:
    known = [None if value == MISSING or value < 0 else value for value in values]
    *_, registers, static, dynamic = known
    shared = None if static is None and dynamic is None else (static or 0) + (dynamic or 0)
    grid, block = _dimensions(known[:3]), _dimensions(known[3:6])
    known_occupancy = None
    if limits is not None and grid is not None and block is not None and registers is not None:
        known_occupancy = occupancy(limits, grid, block, registers, shared or 0)
    return LaunchShape(
        grid=grid,
        block=block,
        registers=registers,
        shared_bytes=shared,
        occupancy=known_occupancy,
    )


def _dimensions(values: list[int | None]) -> tuple[int, int, int] | None:
    x, y, z = values
    return None if x is None or y is None or z is None else (x, y, z)

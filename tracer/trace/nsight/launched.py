"""How kernels were launched, of an export of Nsight Systems."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
from tracer.trace.columns import MISSING, Launched, LaunchShape, OpKind
from tracer.trace.nsight.tables import OP_TABLES, usable_rows

if TYPE_CHECKING:
    from tracer.trace.nsight.database import Database

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
    shapes = [_shape([int(column[row]) for column in columns]) for row in first.tolist()]
    return Launched(int64(np.append(number, np.full(ops - len(number), -1))), shapes)


def _shape(values: list[int]) -> LaunchShape:
    known = [None if value == MISSING or value < 0 else value for value in values]
    *_, registers, static, dynamic = known
    shared = None if static is None and dynamic is None else (static or 0) + (dynamic or 0)
    return LaunchShape(
        grid=_dimensions(known[:3]), block=_dimensions(known[3:6]), registers=registers, shared_bytes=shared
    )


def _dimensions(values: list[int | None]) -> tuple[int, int, int] | None:
    x, y, z = values
    return None if x is None or y is None or z is None else (x, y, z)

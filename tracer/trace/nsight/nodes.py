"""Which node of its graph each device op is, in an export of `nsys profile --cuda-graph-trace=node`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.trace.columns import MISSING
from tracer.trace.nsight.tables import OP_TABLES, TID_BITS, usable_rows

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.trace.nsight.database import Database

NODE = "graphNodeId"
# Nodes as they were made: by a capture, or as copies of others when a graph is instantiated.
MADE = ("CUDA_GRAPH_EVENTS", (NODE, "originalGraphNodeId", "globalTid"))
# Copies of copies of copies; more is damage.
DEEPEST = 8


def read_nodes(database: Database, ops: int) -> I64 | None:
    """The node of each device op, in the order of the tables; None where the export tells none.

    Ids are given as nodes are made. A graph that runs is a copy of the one that was captured, and where the export says
    which node is a copy of which, the id is that of the captured one.

    Args:
        database: the export.
        ops: how many device ops were read.

    Raises:
        InputError: the file is damaged.
    """
    parts = [
        usable_rows(database.integers(table, ("start", "end", NODE)), Counter())[2] for table, _ in OP_TABLES.values()
    ]
    node = int64(np.concatenate(parts))
    node = int64(np.where(node > 0, node, MISSING))
    if len(node) != ops or (node == MISSING).all():
        return None
    return _captured(database, node)


def _captured(database: Database, node: I64) -> I64:
    made, original, thread = database.integers(*MADE)
    known = (made != MISSING) & (original > 0) & (made != original)
    if not known.any() or len(np.unique(thread[thread != MISSING] >> TID_BITS)) > 1:  # processes number theirs alike
        return node
    made, first = np.unique(made[known], return_index=True)
    original = original[known][first]
    found = node
    for _ in range(DEEPEST):
        place = np.minimum(np.searchsorted(made, found), len(made) - 1)
        copies = made[place] == found
        if not copies.any():
            break
        found = int64(np.where(copies, original[place], found))
    return found

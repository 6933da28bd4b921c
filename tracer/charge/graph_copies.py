"""Copies and fills inside a replayed graph: which of the nodes that were captured each of them is.

Launched by itself a copy is one event of the profiler: `Memcpy DtoD (Device -> Device)`. As a node of a graph the same
copy may be run by kernels of the driver, one or two of them (`memcpy128`, `memcpy32_post`), which no code launches. So
copies are not held to their number and names, as kernels are, but to their place between kernels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import ascending, int64

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.arrays import I64

# Neither, copies, fills.
NEITHER, COPIES, FILLS = range(3)
# Of the driver's own kernels these are known. Another's name that only begins so stays a kernel: then nothing is named.
_OF_DRIVER = re.compile(r"mem(cpy|set)\d+(?:_post)?")
_EVENT = re.compile(r"Mem(cpy|set)")


def events_of(names: Sequence[str]) -> I64:
    """Which names are the profiler's own for a copy or a fill: NEITHER, COPIES or FILLS of each."""
    return int64([_sort(_EVENT.match(name)) for name in names])


def driver_kernels(names: Sequence[str]) -> I64:
    """Which names are kernels of the driver that run a graph's copies or fills: NEITHER, COPIES or FILLS of each."""
    return int64([_sort(_OF_DRIVER.fullmatch(name)) for name in names])


def _sort(found: re.Match[str] | None) -> int:
    return NEITHER if found is None else COPIES if found[1] == "cpy" else FILLS


@dataclass(frozen=True, slots=True)
class Copies:
    """Copies and fills in their order, of a replay or as they were captured.

    Attributes:
        gap: how many kernels come before each; never falls.
        name: of each, in numbers that both sides share.
        sort: COPIES or FILLS of each node, and of each op that is a kernel of the driver; else what no node has.
    """

    gap: I64
    name: I64
    sort: I64

    def __getitem__(self, rows: slice) -> Copies:
        return Copies(self.gap[rows], self.name[rows], self.sort[rows])


def place_copies(ops: Copies, nodes: Copies, labels: I64) -> I64:
    """Of each op that copies or fills, its node; -1 of one that is not told by its place.

    Between the same two kernels each node has at least one op, and in the order of the nodes. So an op's node is known
    where there are as many ops as nodes and each fits its own; and it need not be known where all nodes there have the
    same labels and each op fits all of them. Where copies stand between other kernels than they were captured between,
    no place tells anything.

    Args:
        ops: of a replay.
        nodes: as captured.
        labels: [3, nodes] operator, module and layer.
    """
    found = np.full(len(ops.gap), -1, dtype=np.int64)
    gaps = ascending(ops.gap)
    if not np.array_equal(gaps, ascending(nodes.gap)):
        return found
    for here, there in zip(_runs(ops.gap, gaps), _runs(nodes.gap, gaps), strict=True):
        own, captured, told = ops[here], nodes[there], labels[:, there]
        if len(own.gap) == len(captured.gap) and _fit(own, captured):
            found[here] = np.arange(there.start, there.stop)
        elif (told == told[:, :1]).all() and _alike(captured) and _fit(own, captured[:1]):
            found[here] = there.start
    return found


def _runs(gap: I64, gaps: I64) -> list[slice]:
    first, last = np.searchsorted(gap, gaps), np.searchsorted(gap, gaps, side="right")
    return [slice(*bounds) for bounds in zip(first.tolist(), last.tolist(), strict=True)]


def _fit(ops: Copies, nodes: Copies) -> bool:
    """Whether each op may be what runs its node, or the only one."""
    return bool(((ops.name == nodes.name) | (ops.sort == nodes.sort)).all())


def _alike(nodes: Copies) -> bool:
    """Whether an op fits all of them if it fits one."""
    return bool((nodes.name == nodes.name[0]).all())

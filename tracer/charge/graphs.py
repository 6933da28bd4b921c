"""From the ops of a graph's replay to the nodes that were captured, and so to their operators and modules.

A replay is one call; its ops bear that call's correlation and nothing else. What was captured is known by its names in
order. Only a replay whose kernels are the same, one by one, has its nodes' operators and modules: of one name too many
or too few, all that follows would be another's. Copies are told by where they stand among them (`graph_copies`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.graph_copies import NEITHER, Copies, driver_kernels, events_of, place_copies
from tracer.document.graphs import UNKNOWN, CapturedGraph
from tracer.trace.api import launches_graph
from tracer.trace.columns import MISSING, OpKind
from tracer.trace.names import cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracer.arrays import I64, Bools
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace

_EVENT = -1  # an op that the profiler itself calls a copy or a fill


@dataclass(frozen=True, slots=True)
class Replays:
    """What is known of work that was launched as a graph.

    Attributes:
        of_graph: which pieces of work were.
        named: whose node is known.
        names: of operators and modules.
        op, module, layer: of each piece of work, index into names; OUTSIDE, or UNKNOWN.
    """

    of_graph: Bools
    named: Bools
    names: list[str]
    op: I64
    module: I64
    layer: I64


def in_graphs(trace: Trace, work: Work) -> Bools:
    """Which pieces of work were launched as a graph."""
    # One more element, for the -1 of work without a call.
    replays = np.array([*(launches_graph(name) for name in trace.strings), False], dtype=np.bool_)
    return np.asarray(replays[work.call_name], dtype=np.bool_)


def replays_of(trace: Trace, work: Work) -> Iterator[I64]:
    """The work of each replay, as it began; where the file tells nodes apart, in the order in which they were made."""
    rows = np.flatnonzero(in_graphs(trace, work))
    if not len(rows):
        return
    node = nodes_of(trace, rows)
    order = rows[np.lexsort((work.start_ns[rows], node, work.call[rows]))]
    yield from np.split(order, np.flatnonzero(np.diff(work.call[order])) + 1)


def nodes_of(trace: Trace, rows: I64) -> I64:
    """The node ids of these ops; all 0 where the file doesn't tell all of them, or as they contradict the streams.

    Nodes are numbered as they are captured, and what one stream runs it runs in that order.
    """
    none = np.zeros(len(rows), dtype=np.int64)
    if trace.launched is None or trace.launched.node is None:
        return none
    node, ops = trace.launched.node[rows], trace.ops
    if (node == MISSING).any():
        return none
    lanes = np.lexsort((ops.start_ns[rows], ops.stream[rows], ops.device[rows], ops.correlation[rows]))
    lane = np.stack([column[rows][lanes] for column in (ops.correlation, ops.device, ops.stream)])
    same = (lane[:, 1:] == lane[:, :-1]).all(axis=0)
    return none if (same & (np.diff(node[lanes]) <= 0)).any() else int64(node)


def known_graphs(trace: Trace) -> list[CapturedGraph]:
    """What was captured, as far as somebody said so: a person by another trace, or the recording."""
    recorded = [] if trace.manifest is None else trace.manifest.graphs
    return [graph for graph in (*(trace.graphs or ()), *recorded) if graph.sound]


def name_replays(trace: Trace, work: Work) -> Replays:
    """Find the node of each piece of work that was launched as a graph.

    Args:
        trace: the work's, with the graphs that are known.
        work: of the trace.
    """
    tables = [_Table(trace.strings, graph) for graph in known_graphs(trace)]
    if not tables:
        unknown = np.broadcast_to(int64(UNKNOWN), len(work))
        return Replays(in_graphs(trace, work), np.zeros(len(work), dtype=np.bool_), [], unknown, unknown, unknown)
    found = np.full((3, len(work)), UNKNOWN, dtype=np.int64)
    named = np.zeros(len(work), dtype=np.bool_)
    names = [name for table in tables for name in table.names]
    base = np.cumsum([0, *(len(table.names) for table in tables)])
    seen: dict[bytes, tuple[int, I64] | None] = {}
    driver = driver_kernels(trace.strings)
    every, kind = work.name, work.kind
    for rows in replays_of(trace, work):
        key = every[rows].tobytes()
        if key not in seen:
            own = int64(every[rows])
            seen[key] = _match(tables, own, np.where(kind[rows] == OpKind.KERNEL, driver[own], _EVENT))
        match = seen[key]
        if match is None:
            continue
        number, node = match
        labels = tables[number].labels[:, node]
        found[:, rows] = np.where((labels >= 0) & (node >= 0), labels + base[number], labels)
        found[:, rows[node < 0]] = UNKNOWN
        named[rows] = node >= 0
    return Replays(in_graphs(trace, work), named, names, *found)


class _Table:
    """A captured graph in the numbers of a trace.

    Attributes:
        names: as `CapturedGraph` has them.
        labels: [3, nodes] operator, module and layer of each node.
        kernel: of each node its name, an index into the trace's strings; -1 of a name that it does not have.
        copies: of each node NEITHER, COPIES or FILLS.
    """

    def __init__(self, strings: Sequence[str], graph: CapturedGraph) -> None:
        number = {name: place for place, name in enumerate(strings)}
        self.names = graph.names
        nodes = int64(graph.nodes).T
        self.labels = nodes[1:]
        own = [graph.names[place] for place in nodes[0].tolist()]
        self.kernel = int64([number.get(cut(name), -1) for name in own])
        self.copies = events_of(own)

    def nodes_of(self, name: I64, sort: I64) -> I64 | None:
        """Of each op its node, -1 of a copy that is not told by its place; None where the kernels are others.

        Copies are named otherwise by other profilers, and an empty one leaves no trace: kernels alone decide.

        Args:
            name: of each op of a replay in its order, as `kernel`.
            sort: of each op: _EVENT of the profiler's own copies and fills, and of kernels whether they may be the
                driver's that run them.
        """
        own = np.flatnonzero(self.copies == NEITHER)
        # What was launched by that name when nothing was in a graph is a kernel of the code's own.
        ran = (sort == NEITHER) | ((sort != _EVENT) & np.isin(name, self.kernel[own]))
        if not len(own) or not np.array_equal(self.kernel[own], name[ran]):
            return None
        node = np.full(len(name), -1, dtype=np.int64)
        node[ran] = own
        ops, nodes = np.flatnonzero(~ran), np.flatnonzero(self.copies != NEITHER)
        here = Copies(np.cumsum(ran)[ops], name[ops], sort[ops])
        there = Copies(np.searchsorted(own, nodes), self.kernel[nodes], self.copies[nodes])
        placed = place_copies(here, there, self.labels[:, nodes])
        node[ops] = np.append(nodes, -1)[placed]
        return node


def _match(tables: Sequence[_Table], name: I64, sort: I64) -> tuple[int, I64] | None:
    """Which table has these names, and of each op its node there."""
    for number, table in enumerate(tables):
        if np.array_equal(table.kernel, name):
            return number, np.arange(len(name))
    for number, table in enumerate(tables):
        node = table.nodes_of(name, sort)
        if node is not None:
            return number, node
    return None

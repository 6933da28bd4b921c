"""Nodes of graphs in Nsight exports, and what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.nsight import OTHER, Export, global_tid

from tracer.charge.graphs import name_replays
from tracer.charge.stages.ranges import StageRanges
from tracer.charge.work import work_of
from tracer.document.errors import InputError
from tracer.document.graphs import CapturedGraph
from tracer.summarize import Choices, summarize, summarize_file
from tracer.trace.columns import MISSING, Trace, Want
from tracer.trace.reader import read_trace

GRAPH = CapturedGraph(
    names=["gemm", "add", "aten::mm", "aten::add", "Linear_1"],
    nodes=[(0, 2, 4, -1), (1, 3, -1, -1), (0, 2, -1, -1)],
)


def _replay(tmp_path: Path, nodes: list[int | None], *made: tuple[int, int]) -> Trace:
    """A replay whose second and third kernels, on two streams, began in the other order."""
    export = Export().span("tracer/decode#1", 0, 100).call(5, 9, 1, "cudaGraphLaunch_v10000")
    starts, streams = (10, 30, 20), (7, 8, 7)
    for name, start, stream, node in zip(("gemm", "add", "gemm"), starts, streams, nodes, strict=True):
        more = {} if node is None else {"graphNodeId": node}
        export.kernel(name, start, start + 5, 1, streamId=stream, **more)
    for node, original in made:
        export.row("CUDA_GRAPH_EVENTS", start=0, end=1, globalTid=global_tid(), graphNodeId=node,
                   originalGraphNodeId=original)  # fmt: skip
    return read_trace(export.write(tmp_path / "x.sqlite"), Want.SUMMARY | Want.LAUNCHED)


def _ops(trace: Trace) -> list[str]:
    from dataclasses import replace

    trace = replace(trace, graphs=[GRAPH])
    found = name_replays(trace, work_of(trace, StageRanges.none()))
    return [found.names[one] if one >= 0 else "" for one in found.op.tolist()]


def test_kernels_of_a_replay_are_told_by_their_nodes_where_streams_run_them_in_another_order(tmp_path: Path) -> None:
    assert _ops(_replay(tmp_path, [5, 6, 7])) == ["aten::mm", "aten::add", "aten::mm"]


@pytest.mark.parametrize("nodes", [[None, None, None], [5, 6, None], [7, 6, 5]])
def test_without_all_nodes_or_where_they_contradict_a_streams_order_nothing_is_named(
    tmp_path: Path, nodes: list[int | None]
) -> None:
    assert _ops(_replay(tmp_path, nodes)) == ["", "", ""]


def test_a_node_that_is_a_copy_goes_by_the_one_that_was_captured(tmp_path: Path) -> None:
    """Copies of copies, made in another order than they were captured in."""
    made = [(9, 5), (8, 6), (7, 17), (17, 7), (19, 9), (18, 8), (27, 10), (10, 7)]
    trace = _replay(tmp_path, [19, 18, 27], *made[:2], *made[4:])
    assert trace.launched is not None
    assert trace.launched.node is not None
    assert trace.launched.node.tolist() == [5, 6, 7]
    assert _ops(trace) == ["aten::mm", "aten::add", "aten::mm"]
    circle = _replay(tmp_path / "..", [7, 7, 7], *made[2:4]).launched  # damage ends
    assert circle is not None


def test_copies_and_fills_of_a_graph_have_nodes_and_what_is_in_none_has_not(tmp_path: Path) -> None:
    export = Export().call(0, 1, 1).kernel("k", 2, 3, 1).kernel("g", 4, 5, 2, graphNodeId=11)
    export.copy(6, 7, 2, graphNodeId=12).fill(8, 9, 2, graphNodeId=13)
    launched = read_trace(export.write(tmp_path / "x.sqlite"), Want.SUMMARY | Want.LAUNCHED).launched
    assert launched is not None
    assert launched.node is not None
    assert launched.node.tolist() == [MISSING, 11, 12, 13]


def test_by_op_answers_of_a_report_whose_graphs_are_known_and_refuses_another(tmp_path: Path) -> None:
    from dataclasses import replace

    trace = _replay(tmp_path, [5, 6, 7])
    found = summarize(replace(trace, graphs=[GRAPH]), Choices(by="op")).breakdown
    assert found is not None
    assert {row.name: row.ops for row in found.rows} == {"aten::mm": 2, "aten::add": 1}
    with pytest.raises(InputError, match="no operators in it"):
        summarize_file(tmp_path / "x.sqlite", Choices(by="op"))


def test_time_off_the_processor_is_told_where_switches_were_recorded() -> None:
    export = Export().span("tracer/decode#1", 0, 100).call(10, 30, 1).kernel("k", 40, 50, 1)
    switches = [(5, 0, 100), (15, 1, 100), (20, 0, 100), (50, 1, 100), (70, 1, 100), (90, 0, 100), (60, 0, OTHER)]
    for start, on, thread in switches:
        export.row("SCHED_EVENTS", start=start, cpu=0, isSchedIn=on, globalTid=global_tid(thread))
    host = summarize(export.trace()).stages[0].host
    assert host
    # Off from 5 to 15 and from 20 to 50, in a launch from 10 to 30; whether from 90 on for long nobody says.
    assert (host.launch_ns, host.blocked_ns, host.untold_ns) == (20, 25, 55)


def test_without_switches_nothing_is_said_of_the_processor() -> None:
    export = Export().span("tracer/decode#1", 0, 100).call(10, 30, 1).kernel("k", 40, 50, 1)
    host = summarize(export.trace()).stages[0].host
    assert host
    assert host.blocked_ns == 0

"""Kernels of a replayed graph go by what launched them when it was captured, where that is known for certain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.chrome import (
    EVERYTHING,
    Event,
    call,
    document,
    kernel,
    launch,
    module,
    operator,
    read_bytes,
    span,
    trace_of,
)
from support.findings import recorded

from tracer.charge.captured import _inside_captures
from tracer.charge.graphs import name_replays
from tracer.charge.work import work_of
from tracer.document.graphs import OUTSIDE, UNKNOWN, CapturedGraph
from tracer.document.summary import Summary
from tracer.summarize import Choices, summarize, summarize_file
from tracer.trace.columns import Trace, Want

NAMES = ["gemm", "add", "aten::mm", "aten::add", "Linear_3", "LlamaDecoderLayer_1", "Memcpy DtoD (Device -> Device)"]
# A product in a layer, an addition outside modules, a copy in the layer.
GRAPH = CapturedGraph(names=NAMES, nodes=[(0, 2, 4, 5), (1, 3, OUTSIDE, OUTSIDE), (6, 3, 4, 5)])


def _replay(names: list[str], at: float = 10, number: int = 9, nodes: list[int] | None = None) -> list[Event]:
    """A step that launches one graph of these kernels, each of 1 us."""
    args: list[dict[str, Any]] = [{"graph node id": node} for node in nodes] if nodes else [{} for _ in names]
    ops = [
        kernel(name, at + 5 + place, 1, number, args=more, cat="gpu_memcpy" if name.startswith("Mem") else "kernel")
        for place, (name, more) in enumerate(zip(names, args, strict=True))
    ]
    return [span(f"tracer/decode#{number}", at, 4), call("cudaGraphLaunch", at + 1, 1, number), *ops]


def _rows(summary: Summary) -> list[tuple[str, int]]:
    assert summary.breakdown is not None
    return [(row.name, row.ops) for row in summary.breakdown.rows]


def _by(trace: Trace, by: str) -> list[tuple[str, int]]:
    return sorted(_rows(summarize(trace, Choices(by=by))))


def _recorded(*events: Event, **changes: Any) -> Trace:
    return trace_of(*events, tracer=recorded(**{"graphs": [GRAPH], **changes}))


def test_a_replay_of_what_was_recorded_has_its_operators_modules_and_layers() -> None:
    trace = _recorded(*_replay(["gemm", "add", NAMES[6]]), operator("copy", 0, 1))
    assert _by(trace, "op") == [("aten::add", 2), ("aten::mm", 1)]
    assert _by(trace, "module") == [("Linear", 2), ("outside modules", 1)]
    assert _by(trace, "layer") == [("LlamaDecoderLayer_1", 2), ("outside layers", 1)]
    found = summarize(trace, Choices(by="module"))
    assert found.breakdown is not None
    assert (found.breakdown.graph_ops, found.breakdown.graph_ops_named) == (3, 3)
    assert not [one for one in found.abstained if "graphs" in one.what]


@pytest.mark.parametrize(
    "names", [["gemm", "add", "add"], ["add", "gemm", NAMES[6]], ["gemm"], ["gemm", "add", "gemm", NAMES[6]]]
)
def test_a_replay_of_other_kernels_or_of_another_order_has_none_and_says_so(names: list[str]) -> None:
    trace = _recorded(*_replay(names))
    assert _by(trace, "module") == [("graph replay", len(names))]
    (unanswered,) = [one for one in summarize(trace, Choices(by="module")).abstained if "graphs" in one.what]
    assert unanswered.what.startswith("modules of ")
    assert "not those, in that order" in unanswered.reason


def test_of_several_replays_those_that_are_the_recorded_ones_are_named() -> None:
    trace = _recorded(*_replay(["gemm", "add", NAMES[6]]), *_replay(["add"], at=40, number=10))
    assert _by(trace, "module") == [("Linear", 2), ("graph replay", 1), ("outside modules", 1)]


def test_kernels_alone_decide_and_a_copy_that_another_profiler_names_otherwise_stays_a_replays() -> None:
    trace = _recorded(*_replay(["gemm", "Memcpy2D", "add"]))
    assert _by(trace, "module") == [("Linear", 1), ("graph replay", 1), ("outside modules", 1)]


def test_work_beside_graphs_of_a_trace_without_stacks_is_not_said_to_lie_outside_modules() -> None:
    beside = (span("tracer/prefill", 0, 4), launch(1, 1, 3), kernel("gemm", 3, 1, 3))
    trace = _recorded(*beside, *_replay(["gemm", "add", NAMES[6]]))
    assert _by(trace, "module") == [("Linear", 2), ("modules not recorded", 1), ("outside modules", 1)]


def test_a_recording_that_could_not_name_them_says_why() -> None:
    trace = _recorded(
        *_replay(["triton_poi_fused_add_1", "gemm"]), operator("x", 0, 1), graphs=[], graphs_unnamed="compiled"
    )
    found = summarize(trace, Choices(by="op"))
    assert _rows(found) == [("graph replay", 1), ("triton_poi_fused_add_1", 1)]  # a compiler's kernel says it itself
    (unanswered,) = [one for one in found.abstained if "graphs" in one.what]
    assert unanswered.reason == "compiled"


@pytest.mark.parametrize("graph", [{"names": ["gemm"], "nodes": [[0, 5, -1, -1]]}, {"names": [], "nodes": []}])
def test_a_table_that_points_outside_itself_is_none(graph: dict[str, Any]) -> None:
    metadata = recorded()
    metadata["graphs"] = [graph]
    trace = trace_of(*_replay(["gemm"]), module("Linear_0", 0, 1), tracer=metadata)
    assert trace.manifest is not None
    assert _by(trace, "module") == [("graph replay", 1)]


@given(st.data())
@settings(max_examples=40)
def test_only_equal_sequences_are_named(data: st.DataObject) -> None:
    """By an obvious reference: as lists."""
    kernels = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=5)
    captured = data.draw(kernels)
    replays = data.draw(st.lists(kernels, min_size=1, max_size=4))
    graph = CapturedGraph(
        names=["a", "b", "c", "op"], nodes=[("abc".index(one), 3, UNKNOWN, OUTSIDE) for one in captured]
    )
    events = [one for number, names in enumerate(replays) for one in _replay(names, at=20 * number, number=number + 1)]
    trace = replace(trace_of(*events), graphs=[graph])
    work = work_of(trace, _no_ranges())
    found = name_replays(trace, work)
    assert found.of_graph.all()
    for number, names in enumerate(replays):
        own = work.call_start_ns == (20 * number + 1) * 1000
        assert found.named[own].tolist() == [names == captured] * len(names)
        assert set(found.op[own].tolist()) == {3 if names == captured else UNKNOWN}
        assert set(found.module[own].tolist()) == {UNKNOWN}


def _no_ranges() -> Any:
    from tracer.charge.stages.ranges import StageRanges

    return StageRanges.none()


def _warm_up(names: list[str], layers: tuple[int, ...] = (0,)) -> list[Event]:
    """These kernels launched one by one, once in each of these layers, by a `Linear` of its own."""
    events = []
    for turn, layer in enumerate(layers):
        at = 1000.0 * turn
        events += [module(f"LlamaDecoderLayer_{layer}", at, 900), module(f"Linear_{layer}", at, 10 * len(names))]
        for place, name in enumerate(names):
            start, number = at + 10 * place, 100 * turn + place + 1
            events += [
                operator(f"aten::{name}", start + 1, 5),
                launch(start + 2, 1, number),
                kernel(name, start + 4, 1, number, cat="gpu_memcpy" if name.startswith("Mem") else "kernel"),
            ]
    return events


def _with_capture(tmp_path: Path, capture: list[Event], *replays: Event, by: str) -> Summary:
    (tmp_path / "run.json").write_bytes(document(*replays, operator("x", 0, 1)))
    (tmp_path / "capture.json").write_bytes(document(*capture))
    return summarize_file(tmp_path / "run.json", Choices(by=by, capture=tmp_path / "capture.json"))


def test_a_warm_up_in_another_trace_names_a_replay_of_the_same_kernels(tmp_path: Path) -> None:
    for by, expected in (
        ("op", [("aten::add", 1), ("aten::mm", 1)]),
        ("module", [("Linear", 2)]),
        ("layer", [("LlamaDecoderLayer_0", 2)]),
    ):
        assert (
            sorted(_rows(_with_capture(tmp_path, _warm_up(["mm", "add"]), *_replay(["mm", "add"]), by=by))) == expected
        )


def test_of_layers_that_launch_alike_the_class_of_module_is_known_and_the_layer_is_not(tmp_path: Path) -> None:
    capture, replay = _warm_up(["mm", "add"], layers=(0, 1, 2)), _replay(["mm", "add"])
    assert _rows(_with_capture(tmp_path, capture, *replay, by="module")) == [("Linear", 2)]
    found = _with_capture(tmp_path, capture, *replay, by="layer")
    assert _rows(found) == [("graph replay", 2)]
    assert [one for one in found.abstained if one.what.startswith("layers of 2 ops in replayed graphs")]


COPY = "Memcpy DtoD (Device -> Device)"


@pytest.mark.parametrize(
    ("warm_up", "replay", "named"),
    [
        (["mm", COPY, "add"], ["mm", "memcpy32_post", "add"], True),
        (["mm", "Memset (Device)", "add"], ["mm", "memcpy32_post", "add"], False),
        (["mm", COPY, "add", "Memset (Device)"], ["mm", "Memset (Device)", "add"], False),
        (["mm", COPY, "add", "Memcpy HtoD"], ["mm", "Memcpy HtoD", "add"], False),
        (["mm", COPY, "add", "memcpy32_post"], ["mm", "memcpy32_post", "add"], False),  # a kernel of the code's own
        (["mm", "memcpy32_post", "add"], ["mm", "memcpy32_post", "add"], True),
    ],
)
def test_a_copy_that_the_driver_runs_as_a_kernel_was_launched_as_a_copy(
    tmp_path: Path, warm_up: list[str], replay: list[str], named: bool
) -> None:
    found = _with_capture(tmp_path, _warm_up(warm_up), *_replay(replay), by="module")
    assert _rows(found) == [("Linear" if named else "graph replay", 3)]


def test_a_capture_of_other_kernels_names_nothing_and_says_so(tmp_path: Path) -> None:
    found = _with_capture(tmp_path, _warm_up(["mm", "mul", "add"]), *_replay(["mm", "add"]), by="module")
    assert _rows(found) == [("graph replay", 2)]
    (unanswered,) = [one for one in found.abstained if "graphs" in one.what]
    assert "no place where the same kernels were launched" in unanswered.reason


def _captured(names: list[str]) -> list[Event]:
    """Launches of a capture, which run nothing, of an operator each."""
    events = [
        call("cudaStreamBeginCapture", 0, 1, 1),
        call("cudaStreamEndCapture", 90, 1, 2),
        module("Linear_4", 1, 80),
    ]
    for place, name in enumerate(names):
        api = "cudaMemcpyAsync" if name.startswith("Mem") else "cudaLaunchKernel"
        events += [operator(f"aten::{name}", 5 + 10 * place, 6), call(api, 6 + 10 * place, 2, 10 + place)]
    return events


@pytest.mark.parametrize(
    ("nodes", "launched", "named"),
    [
        ([4, 5, 6], ["mm", "Mem", "add"], True),
        (None, ["mm", "Mem", "add"], False),  # nothing says in which order they were captured
        ([4, 6, 5], ["mm", "Mem", "add"], False),  # one stream runs what was captured on it in that order
        ([4, 5, 6], ["mm", "add", "Mem"], False),  # another kind
        ([4, 5, 6], ["mm", "Mem"], False),
    ],
)
def test_launches_inside_a_capture_name_a_replay_by_the_nodes_ids(
    tmp_path: Path, nodes: list[int] | None, launched: list[str], named: bool
) -> None:
    replay = _replay(["k1", "Memcpy DtoD", "k2"], nodes=nodes)
    found = _with_capture(tmp_path, _captured(launched), *replay, by="op")
    expected = [("aten::Mem", 1), ("aten::add", 1), ("aten::mm", 1)] if named else [("graph replay", 3)]
    assert sorted(_rows(found)) == expected


@pytest.mark.parametrize(("ran", "named"), [("memcpy128", True), ("memcpy128_of_mine", False)])
def test_a_copy_inside_a_capture_may_be_run_by_the_drivers_kernel(tmp_path: Path, ran: str, named: bool) -> None:
    replay = _replay(["k1", ran, "k2"], nodes=[4, 5, 6])
    found = _with_capture(tmp_path, _captured(["mm", "Mem", "add"]), *replay, by="module")
    assert _rows(found) == [("Linear" if named else "graph replay", 3)]


def test_branches_that_run_at_once_are_put_in_the_order_of_their_capture_by_the_nodes_ids() -> None:
    graph = CapturedGraph(names=["a", "b", "x", "y"], nodes=[(0, 2, OUTSIDE, OUTSIDE), (1, 3, OUTSIDE, OUTSIDE)])
    launched = call("cudaGraphLaunch", 1, 1, 9)
    ops = [kernel("b", 5, 4, 9, stream=8, args={"graph node id": 2}), kernel("a", 6, 1, 9, args={"graph node id": 1})]
    for want, named in ((EVERYTHING | Want.LAUNCHED, [True, True]), (EVERYTHING, [False, False])):
        trace = replace(read_bytes(document(launched, *ops), want), graphs=[graph])
        assert name_replays(trace, work_of(trace, _no_ranges())).named.tolist() == named


def test_node_ids_cost_no_other_trace_a_column() -> None:
    trace = read_bytes(document(*_replay(["a", "b"])), EVERYTHING | Want.LAUNCHED)
    assert trace.launched is not None
    assert trace.launched.node is None


def test_the_table_survives_the_file() -> None:
    trace = _recorded(*_replay(["gemm"]))
    assert trace.manifest is not None
    assert trace.manifest.graphs == [GRAPH]


def test_captures_that_begin_and_never_end_are_not_each_followed_to_the_end_of_the_trace() -> None:
    begins = [call("cudaStreamBeginCapture", 2 * place, 1, place) for place in range(200)]
    launches = [call("cudaLaunchKernel", 500 + 2 * place, 1, 300 + place) for place in range(200)]
    trace = trace_of(*begins, *launches, call("cudaStreamEndCapture", 1000, 1, 999))
    (found,) = _inside_captures(trace, trace.modules)
    assert len(found.name) == 200

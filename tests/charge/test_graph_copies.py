"""A graph's copies are told by where they stand among its kernels, whoever runs them: in a real recording, made up."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.chrome import Event, call, document, kernel, span, trace_of
from support.findings import recorded

from tracer.charge.graph_copies import COPIES, FILLS, NEITHER, Copies, driver_kernels, events_of, place_copies
from tracer.document.graphs import OUTSIDE, CapturedGraph
from tracer.summarize import Choices, summarize, summarize_file

if TYPE_CHECKING:
    from pathlib import Path

    from tracer.document.summary import Summary

COPY, FILL = "Memcpy DtoD (Device -> Device)", "Memset (Device)"
IN_LAYER, NOWHERE = ("aten::copy_", "Linear_3", "LlamaDecoderLayer_1"), ("aten::copy_", None, None)
# A product in a layer, an addition outside modules, a copy in the layer.
GRAPH = [("gemm", *IN_LAYER), ("add", *NOWHERE), (COPY, *IN_LAYER)]


def _graph(nodes: list[tuple[str | None, ...]]) -> CapturedGraph:
    names = sorted({name for node in nodes for name in node if name is not None})
    places = [tuple(OUTSIDE if name is None else names.index(name) for name in node) for node in nodes]
    return CapturedGraph(names=names, nodes=places)  # type: ignore[arg-type]


def _modules(nodes: list[tuple[str | None, ...]], replayed: list[str]) -> dict[str, int]:
    """Ops by module of one replay of a graph with these nodes."""
    ops = [
        kernel(name, 15 + place, 1, 9, cat="gpu_memcpy" if name.startswith("Mem") else "kernel")
        for place, name in enumerate(replayed)
    ]
    events: list[Event] = [span("tracer/decode#9", 10, 4), call("cudaGraphLaunch", 11, 1, 9), *ops]
    return _ops(summarize(trace_of(*events, tracer=recorded(graphs=[_graph(nodes)])), Choices(by="module")))


def _ops(summary: Summary) -> dict[str, int]:
    assert summary.breakdown is not None
    return {row.name: row.ops for row in summary.breakdown.rows}


@pytest.mark.parametrize("copies", [["memcpy32_post"], ["memcpy128"], ["memcpy128", "memcpy32_post"], [COPY, COPY]])
def test_a_copy_is_named_whether_the_profiler_shows_it_or_the_drivers_kernels_that_run_it(copies: list[str]) -> None:
    assert _modules(GRAPH, ["gemm", "add", *copies]) == {"Linear": 1 + len(copies), "outside modules": 1}


@pytest.mark.parametrize(
    "replayed",
    [
        ["gemm", "memcpy32_post", "add"],  # between other kernels than it was captured between
        ["memcpy32_post", "gemm", "add"],
        ["gemm", "memcpy32_post", "add", "memcpy32_post"],
        ["gemm", "add", "memset32_post"],  # another sort
        ["gemm", "add", "Memcpy HtoD (Pageable -> Device)"],
    ],
)
def test_a_copy_that_was_not_captured_there_stays_a_replays_and_kernels_are_named(replayed: list[str]) -> None:
    expected = {"Linear": 1, "outside modules": 1, "graph replay": len(replayed) - 2}
    assert _modules(GRAPH, replayed) == expected


@pytest.mark.parametrize("name", ["my_memcpy32_post", "memcpy32_of_mine", "void memcpy32(int*)", "memcpy", "copy"])
def test_a_kernel_too_many_that_is_not_known_to_be_the_drivers_names_nothing(name: str) -> None:
    assert _modules(GRAPH, ["gemm", "add", name]) == {"graph replay": 3}


def test_what_was_launched_by_a_name_of_the_drivers_is_a_kernel_and_no_copy() -> None:
    own = [("memcpy32_post", *IN_LAYER), *GRAPH[1:]]
    assert _modules(own, ["memcpy32_post", "add", "memcpy128"]) == {"Linear": 2, "outside modules": 1}
    assert _modules(own, ["memcpy32_post", "add", "memcpy32_post"]) == {"graph replay": 3}
    assert _modules(own, ["memcpy128", "add", "memcpy32_post"]) == {"graph replay": 3}


def test_copies_of_several_nodes_in_a_row_are_told_apart_only_if_each_has_one_op() -> None:
    nodes = [("gemm", *IN_LAYER), (COPY, *IN_LAYER), (COPY, *NOWHERE)]
    assert _modules(nodes, ["gemm", "memcpy128", "memcpy128"]) == {"Linear": 2, "outside modules": 1}
    assert _modules(nodes, ["gemm", *["memcpy128"] * 3]) == {"Linear": 1, "graph replay": 3}
    assert _modules(nodes, ["gemm", "memcpy128"]) == {"Linear": 1, "graph replay": 1}
    alike = [*nodes[:2], nodes[1]]
    assert _modules(alike, ["gemm", *["memcpy128"] * 3]) == {"Linear": 4}
    other = [*alike[:2], ("Memcpy HtoD (Pinned -> Device)", *IN_LAYER)]
    assert _modules(other, ["gemm", *[COPY] * 3]) == {"Linear": 1, "graph replay": 3}
    filled = [*nodes[:2], (FILL, *NOWHERE)]
    assert _modules(filled, ["gemm", "memcpy128", "memset32"]) == {"Linear": 2, "outside modules": 1}
    assert _modules(filled, ["gemm", "memset32", "memcpy128"]) == {"Linear": 1, "graph replay": 2}


def test_names_of_copies_and_fills() -> None:
    assert events_of([COPY, FILL, "memcpy32_post", "gemm"]).tolist() == [COPIES, FILLS, NEITHER, NEITHER]
    assert driver_kernels([COPY, "memset32", "memcpy32_post", "gemm"]).tolist() == [NEITHER, FILLS, COPIES, NEITHER]


@given(st.data())
@settings(max_examples=60)
def test_every_way_of_dealing_ops_to_nodes_in_order_gives_the_labels_that_were_found(data: st.DataObject) -> None:
    """By an obvious reference: all of them, each node having at least one op that fits it."""
    count = data.draw(st.integers(1, 3))
    sorts = data.draw(st.lists(st.sampled_from("cf"), min_size=count, max_size=count))
    ops = data.draw(st.lists(st.sampled_from("cf"), min_size=1, max_size=4))
    label = data.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
    nodes, run = (np.array(["?cf".index(one) for one in several]) for several in (sorts, ops))
    here, there = Copies(0 * run, 9 + run, run), Copies(0 * nodes, nodes, nodes)
    found = place_copies(here, there, np.array([label] * 3)).tolist()
    for cuts in combinations(range(1, len(ops)), count - 1):
        dealt = np.searchsorted(cuts, np.arange(len(ops)), side="right").tolist()
        if all(ops[op] == sorts[node] for op, node in enumerate(dealt)):
            assert all(one < 0 or label[one] == label[node] for one, node in zip(found, dealt, strict=True))
    if len(ops) == count:
        assert (found == list(range(count))) or ops != sorts


# A decode step of a LLaMA of 32 layers: what each layer has, and what stands before and behind them.
STEP = {
    "Linear": 32 * (4 * 2 + 2 + 2) + 1, "LlamaAttention": 32 * 20, "LlamaRMSNorm": 8 * 65, "LlamaDecoderLayer": 2 * 32,
    "SiLUActivation": 32, "LlamaMLP": 32, "LlamaRotaryEmbedding": 9, "EventGPTBackbone": 9, "outside modules": 2,
    "Embedding": 1,
}  # fmt: skip
TIMES = {
    "Linear": 5_519_327, "LlamaAttention": 1_411_977, "LlamaRMSNorm": 818_126, "LlamaDecoderLayer": 89_540,
    "SiLUActivation": 56_992, "LlamaMLP": 51_649, "LlamaRotaryEmbedding": 15_169, "EventGPTBackbone": 12_158,
    "outside modules": 11_904, "Embedding": 2_689,
}  # fmt: skip


def test_a_real_replay_whose_last_copy_the_driver_runs_is_named_in_full(data: Path) -> None:
    """Its kernels' durations, added up by hand from the nodes' modules; launched one by one products take 5.52 ms."""
    found = summarize_file(data / "h100_graph_step.json.gz", Choices(by="module"))
    assert found.breakdown is not None
    assert _ops(found) == STEP
    times = {row.name: row.device_time_ns for row in found.breakdown.rows}
    assert times == TIMES
    assert times["Linear"] == pytest.approx(44_150_026 / 8, rel=0.01)  # eight such steps with --decode static
    assert (found.breakdown.graph_ops, found.breakdown.graph_ops_named) == (1694, 1694)
    assert not [one for one in found.abstained if "graphs" in one.what]


def test_the_same_replay_with_two_kernels_exchanged_or_one_more_is_not_named(data: Path, tmp_path: Path) -> None:
    recording: dict[str, Any] = json.loads(gzip.decompress((data / "h100_graph_step.json.gz").read_bytes()))
    events: list[Event] = recording.pop("traceEvents")
    ops = sorted((one for one in events if one.get("cat") == "kernel"), key=lambda one: one["ts"])
    assert ops[-1]["name"] == "memcpy32_post"
    first = next(place for place in range(len(ops)) if ops[place]["name"] != ops[place + 1]["name"])
    names = [one["name"] for one in ops]
    exchanged = [*names[:first], names[first + 1], names[first], *names[first + 2 :]]
    for renamed in (exchanged, [*names[:-1], names[0]]):
        for one, name in zip(ops, renamed, strict=True):
            one["name"] = name
        (tmp_path / "other.json").write_bytes(document(*events, **recording))
        assert Counter(_ops(summarize_file(tmp_path / "other.json", Choices(by="module")))) == {"graph replay": 1694}

"""A graph's nodes by what launches the same kernels one by one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from support.chrome import call, document, kernel, launch, module, operator

from model.decoding.static import StaticDecoder
from model.registry import COMPILE, GRAPH
from tracer.document.graphs import OUTSIDE
from tracer.recording import graphs
from tracer.recording.graphs import COMPILED, captured, graphs_of

if TYPE_CHECKING:
    from pathlib import Path


def test_nodes_are_in_the_order_of_their_launches_with_what_was_open_then() -> None:
    """The copy starts first and was launched last; a driver's call inside the runtime's is the same launch."""
    events = [
        module("LlamaDecoderLayer_1", 0, 40), module("Linear_2", 5, 10), operator("aten::linear", 6, 8),
        operator("aten::mm", 7, 5), launch(8, 3, 1), call("cuLaunchKernel", 9, 1, 1), kernel("gemm", 50, 5, 1),
        operator("aten::add", 20, 5), launch(21, 1, 2), kernel("add", 60, 5, 2),
        call("cudaMemcpyAsync", 45, 1, 3), kernel("Memcpy DtoD", 48, 1, 3, cat="gpu_memcpy"),
        launch(46, 1, 4, tid=2), kernel("other", 70, 1, 4), kernel("orphan", 90, 1, 77),
    ]  # fmt: skip
    found = captured(document(*events))
    assert found.sound
    names = [[found.names[place] if place >= 0 else None for place in node] for node in found.nodes]
    assert names == [
        ["gemm", "aten::mm", "Linear_2", "LlamaDecoderLayer_1"],
        ["add", "aten::add", "LlamaDecoderLayer_1", "LlamaDecoderLayer_1"],
        ["Memcpy DtoD", None, None, None],
        ["other", None, None, None],
    ]
    assert found.nodes[2][1:] == (OUTSIDE, OUTSIDE, OUTSIDE)


def _model(mode: str, device: str) -> Any:
    return SimpleNamespace(device=torch.device(device), decoders=SimpleNamespace(mode=mode, each=[]))


def test_what_replays_no_graph_has_none_and_a_compiled_step_says_why(tmp_path: Path) -> None:
    assert graphs_of(_model(GRAPH, "cpu"), tmp_path) == ([], "")
    assert graphs_of(_model("static", "cuda"), tmp_path) == ([], "")
    assert graphs_of(SimpleNamespace(device=torch.device("cuda")), tmp_path) == ([], "")  # type: ignore[arg-type]
    assert graphs_of(_model(COMPILE, "cuda"), tmp_path) == ([], COMPILED)


def test_a_step_of_which_nothing_can_be_written_loses_no_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _model(GRAPH, "cuda")
    model.decoders.each.append(None)
    monkeypatch.setattr(graphs, "_graph_of", lambda *_: captured(b'{"traceEvents": [{'))
    found, why = graphs_of(model, tmp_path)
    assert found == []
    assert why.startswith("torch.profiler left no trace of the step that can be read (")


def test_a_step_is_launched_twice_from_an_empty_cache_which_is_left_empty() -> None:
    class Cache:
        used = 7

        def reset(self) -> None:
            self.used = 0

    decoder: Any = StaticDecoder.__new__(StaticDecoder)
    decoder._cache, seen = Cache(), []

    def advance() -> None:
        seen.append((decoder._cache.used, torch.is_grad_enabled()))
        decoder._cache.used += 1

    decoder._advance = advance
    with decoder.launching() as launching:
        launching()
        launching()
    assert seen == [(0, False), (1, False)]
    assert decoder._cache.used == 0

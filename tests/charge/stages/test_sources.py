from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.chrome import kernel, module, span, trace_of

import tracer.charge.stages as folder
from tracer.charge.stages.find import find_stages, missing_for_stages, sources
from tracer.trace.columns import Want

# All of it: a source is one file.
TGI = """
from tracer.charge.stages.named import by_name
SOURCE = by_name("tgi", 40, lambda name: {"tgi::prefill": ("prefill", None), "tgi::decode": ("decode", None)}.get(name))
"""


@pytest.fixture
def one_more_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "tgi_of_a_test.py").write_text(TGI)
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path)])
    sources.cache_clear()
    yield
    monkeypatch.undo()
    sources.cache_clear()


def test_the_sources_are_asked_in_their_order_each_rank_once() -> None:
    assert [source.markers for source in sources()] == [
        "part", "tracer", "sglang", "vllm", "atom", "trtllm", "roles", "generation", "modules", "inferred",
    ]  # fmt: skip
    assert len({source.rank for source in sources()}) == len(sources())


def test_a_source_that_is_one_more_file_is_found(one_more_file: None) -> None:
    trace = trace_of(span("tgi::prefill", 0, 5), span("tgi::decode", 10, 5), kernel("k", 0, 1))
    assert find_stages(trace).markers == "tgi"
    assert find_stages(trace).index.tolist() == [-1, 1]


def test_without_that_file_the_same_trace_has_no_stages() -> None:
    assert find_stages(trace_of(span("tgi::prefill", 0, 5), kernel("k", 0, 1))).markers == "none"


def test_modules_are_wanted_only_where_stacks_were_recorded_and_no_marker_tells_the_stages() -> None:
    from dataclasses import replace

    silent = replace(trace_of(kernel("k", 0, 1)), stacks=True)
    assert missing_for_stages(silent) & Want.MODULES
    assert missing_for_stages(silent, {"decode": "step"}) & Want.MODULES
    assert not missing_for_stages(replace(silent, stacks=False))
    assert not missing_for_stages(replace(trace_of(span("tracer/vision", 0, 5), kernel("k", 0, 1)), stacks=True))


def test_a_persons_patterns_silence_every_other_name_but_not_what_modules_tell() -> None:
    trace = trace_of(span("tracer/vision", 0, 5), kernel("k", 0, 1))
    assert find_stages(trace, {"decode": "step"}).markers == "none"
    seen = module("CLIPVisionModel_0", 7, 2)
    told = trace_of(module("LlavaModel_0", 0, 20), module("LlamaDecoderLayer_0", 1, 5), seen, kernel("k", 0, 1))
    assert find_stages(told, {"decode": "step"}).markers == "modules"

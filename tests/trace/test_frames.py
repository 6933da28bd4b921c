"""Choosing among Python frames by their names, before they are decoded, leaves out none that reading them all keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.chrome import document, frame, kernel, launch, operator, read_bytes, span
from support.columns import spelled_out

import tracer.summarize as summarizing
import tracer.trace.chrome.frames as frames
import tracer.trace.chrome.reader as reader
import tracer.trace.chrome.scanner as scanner
from tracer.choices import Choices
from tracer.trace.columns import Trace, Want
from tracer.trace.names import LONGEST_NAME

WANTED = Want.SUMMARY | Want.MODULES
BEGINNINGS = [
    "nn.Module: ",
    "nn.Modules",
    "nn",
    "<built-in method ",
    "<",
    "torch/",
    "torch.py",
    "/home/a/",
    "C:\\a\\",
    "",
]
MIDDLES = [
    "Linear_3",
    "generation/utils.py(12): ",
    "generation_utils.py(1): ",
    "m.py(3): ",
    'q"uote',
    "ü\u2028",
    "item of Tensor",
]
ENDS = [
    "generate",
    "_prefill",
    "_prefill_chunking",
    "prepare_inputs_for_generation",
    "get_candidates",
    "forward",
    "\\",
    '"',
    "",
]
NAMES = st.one_of(
    st.builds("".join, st.tuples(*map(st.sampled_from, (BEGINNINGS, MIDDLES, ENDS)))),
    st.builds(lambda begin, length: begin + "x" * length, st.sampled_from(BEGINNINGS), st.integers(480, 530)),
    st.text(max_size=20),
)
WRITERS: dict[str, Callable[[bytes], bytes]] = {
    "as Kineto": lambda data: data,
    "compact": lambda data: json.dumps(json.loads(data), separators=(",", ":")).encode(),
    "indented": lambda data: json.dumps(json.loads(data), indent=2).encode(),
    "other order": lambda data: json.dumps(json.loads(data), sort_keys=True).encode(),
    "not escaped": lambda data: json.dumps(json.loads(data), ensure_ascii=False).encode(),
}


def _as_document(data: bytes, want: Want) -> Trace:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "sniff", lambda _: None)
        return read_bytes(data, want)


def _told(trace: Trace) -> dict[str, Any]:
    columns = spelled_out(trace)
    return {key: columns[key] for key in ("ranges", "modules", "generation", "frames") if key in columns}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("want", [WANTED, Want.FRAMES])
@settings(max_examples=40)
@given(names=st.lists(NAMES, max_size=30), met=st.lists(NAMES, max_size=5))
def test_whatever_names_frames_have_the_same_are_kept(
    writer: str, want: Want, names: list[str], met: list[str]
) -> None:
    names = [*met, *names, *met]
    events = [frame(name, 10 * place, 5) for place, name in enumerate(names)]
    data = WRITERS[writer](document(span("pyjamas", 0, 1), *events, span("last", 10 * len(names), 1)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanner, "SHORT_TEXT_BYTES", 0)
        patch.setattr(frames, "MOST_NAMES", 3)
        scanned = read_bytes(data, want)
    assert _told(scanned) == _told(_as_document(data, want))


def test_most_frames_are_passed_over_undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []
    decode = scanner._decode
    monkeypatch.setattr(
        scanner, "_decode", lambda pieces, *rest, **more: decoded.extend(pieces) or decode(pieces, *rest, **more)
    )
    names = ["torch/nn/functional.py(2): linear", "<built-in method mm>", "run.py(1): main", "nn.Module: Linear_0"]
    read_bytes(document(*(frame(name, place, 1) for place in range(100) for name in names)), WANTED)
    kept = [piece for piece in decoded if b"python_function" in piece]
    assert len(kept) == 100
    assert all(b"nn.Module" in piece for piece in kept)


def test_a_name_longer_than_any_is_judged_as_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner, "SHORT_TEXT_BYTES", 0)
    name = "nn.Module: " + "x" * 2 * LONGEST_NAME
    trace = read_bytes(document(frame(name, 0, 5), frame("run.py(1): main", 1, 1), kernel("k", 0, 1)), WANTED)
    assert [trace.strings[place][:12] for place in trace.modules.name.tolist()] == ["nn.Module: x"]


UNMARKED = (
    *[
        event
        for number, (at, busy) in enumerate([(0, 30), (60, 4), (120, 4)], 1)
        for event in (
            frame("nn.Module: LlamaForCausalLM_0", at, 50),
            frame("nn.Module: LlamaDecoderLayer_0", at + 5, 10),
            launch(at + 7, 1, number),
            kernel("gemm", at + 8, busy, number),
        )
    ],
)
MARKED = (span("tracer/prefill", 0, 50), *UNMARKED)


def _counted(asked: list[Want]) -> Callable[..., Trace]:
    """What reads, and keeps what it is asked for."""
    read = summarizing.read_source

    def counted(source: Any, want: Want, **options: Any) -> Trace:
        # Else it is a small file's reading for its operators and memory, or for launches, beside this.
        if want & Want.OPS and not want & Want.LAUNCHED:
            asked.append(want)
        return read(source, want, **options)

    return counted


def _reads(monkeypatch: pytest.MonkeyPatch, path: Path) -> tuple[list[Want], str]:
    """What was asked of the reader to summarise a file, and whose markers were found."""
    asked: list[Want] = []
    monkeypatch.setattr(summarizing, "read_source", _counted(asked))
    return asked, summarizing.summarize_file(path, Choices()).trace.markers


def test_a_trace_with_stacks_and_without_marks_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "unmarked.json"
    path.write_bytes(document(*UNMARKED, with_stack=1))
    asked, markers = _reads(monkeypatch, path)
    assert markers == "modules"
    assert len(asked) == 1


def test_where_an_engines_labels_have_sums_operators_are_read_at_once_and_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = {"Input Dims": [[1, 8, 64], *[[1, 2, 64]] * 2], "Input type": ["c10::BFloat16"] * 3}
    attends = operator("vllm::unified_attention", 2, 20, **shapes)
    label = "execute_1_context_0(sq0sk0sqsq0sqsk0)_generation_1(sq1sk9sqsq1sqsk9)"
    events = (span(label, 0, 50), attends, launch(4, 1, 1), kernel("flash_fwd_splitkv_kernel", 8, 30, 1))
    found = []
    for metadata, times in (({"with_stack": 1}, 1), ({}, 2)):
        path = tmp_path / f"{times}.json"
        path.write_bytes(document(*events, **metadata))
        asked: list[Want] = []
        monkeypatch.setattr(summarizing, "read_source", _counted(asked))
        found.append(summarizing.summarize_file(path, Choices()).serving)
        monkeypatch.undo()
        assert len(asked) == times
    assert found[0] == found[1]
    assert found[0] is not None
    assert [row.heads for row in found[0].attention] == [8]


def test_where_only_its_end_says_that_there_are_stacks_it_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "unmarked.json"
    path.write_bytes(document(*UNMARKED)[:-1] + b', "with_stack": 1}')
    asked, markers = _reads(monkeypatch, path)
    assert markers == "modules"
    assert len(asked) == 2


@pytest.mark.parametrize("metadata", [{}, {"with_stack": 0}, {"with_stack": 1, "tracer": {}}])
def test_modules_of_a_recording_of_ours_or_without_stacks_are_left_unread(metadata: dict[str, Any]) -> None:
    want = Want.SUMMARY | Want.MODULES_IF_STACKED
    trace = read_bytes(document(*MARKED, **metadata), want)
    assert not len(trace.modules)
    assert not trace.had & Want.MODULES


def test_a_marked_trace_of_others_has_the_same_stages_as_one_without_stacks(tmp_path: Path) -> None:
    with_stacks, without = tmp_path / "with.json", tmp_path / "without.json"
    with_stacks.write_bytes(document(*MARKED, with_stack=1))
    without.write_bytes(document(*MARKED))
    found = [summarizing.summarize_file(path, Choices()) for path in (with_stacks, without)]
    assert found[0].stages == found[1].stages
    assert found[0].trace.markers == "tracer"

"""Inputs made to cost far more than their size: each would take minutes or days if the work grew with its square."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from support.chrome import document, kernel, read_bytes

from reports.text import render
from tracer.document.errors import InputError
from tracer.summarize import summarize_file
from tracer.trace.columns import Trace
from tracer.trace.names import cut

MB = 1 << 20
OPENING = b'{"traceEvents": ['
EVENT = b'{"ph": "X", "cat": "kernel", "name": "k", "ts": 1, "dur": 1, "args": {"stream": 7}}'


def _names(trace: Trace) -> list[str]:
    return [trace.strings[name] for name in trace.ops.name.tolist()]


@pytest.mark.parametrize("space", [b" ", b"\n", b"\r\n", b"\t \n"])
def test_space_without_end_in_front_of_the_first_event(space: bytes) -> None:
    data = OPENING + space * (2 * MB // len(space)) + EVENT + b"]}"
    assert _names(read_bytes(data)) == ["k"]


def test_space_without_end_and_nothing_behind_it() -> None:
    with pytest.raises(InputError):
        read_bytes(OPENING + b" " * 2 * MB)


@pytest.mark.parametrize(
    "tail",
    [
        b"}]",
        b"{}],",
        b'}], "',
        b'{"a": [{}], "',
        b'"name": "',
        b'"name": "a" , ',
        b'{"name": "", ',
        b'"cat": "kernel", ',
        b"\x00",
        b"[",
        b"{",
        b'{"ph": "X", "args": [{}], ',
    ],
)
@pytest.mark.parametrize("layout", ["one line", "lines"])
def test_an_end_that_looks_like_the_end_of_many_events(tail: bytes, layout: str) -> None:
    events = [EVENT, EVENT]
    data = OPENING + b", ".join(events)
    if layout == "lines":
        data = json.dumps(json.loads(data + b"]}"), indent=1).encode().removesuffix(b"\n ]\n}")
    for separator in (b"", b",\n ", b', {"ph": "X", "cat": "kernel", "x": ['):
        trace = read_bytes(data + separator + tail * (MB // len(tail)))
        assert _names(trace)[:2] == ["k", "k"]
        assert trace.warnings


@pytest.mark.parametrize("piece", ['"', '"name": "', '", "name": "', "\\", "}, {", ")_generation_1(", "\n  }"])
def test_names_of_megabytes(piece: str) -> None:
    name = "execute_context_1(" + piece * (MB // len(piece)) + "!"
    trace = read_bytes(document(kernel(name, 0, 1, 1), {**kernel("k", 1, 1, 2), "ts": "inf"}))
    assert _names(trace) == [cut(name)]


@pytest.mark.parametrize("wanted", [True, False])
def test_a_string_of_many_megabytes(wanted: bool, tmp_path: Path) -> None:
    name = "x" * (40 * MB)
    path = tmp_path / "long.json"
    long = kernel(name, 1, 1, 1) if wanted else {**kernel(name, 1, 1, 1), "cat": "cpu_op"}
    path.write_bytes(document(kernel("first", 0, 1, 1), long, kernel("last", 2, 1, 2)))
    summary = summarize_file(path)
    assert summary.device.ops == 2 + wanted
    assert len(render(summary)) < 10_000


def test_a_packed_file_of_nothing_but_zeros() -> None:
    with pytest.raises(InputError):
        read_bytes(gzip.compress(bytes(64 * MB)))

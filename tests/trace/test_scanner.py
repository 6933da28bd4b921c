"""The scanner gives what reading the whole document gives, whatever the layout, packing and division of work."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.chrome import EVERYTHING, capture, document, kernel, launch, operator, read_bytes, span
from support.columns import spelled_out
from support.layouts import LAYOUTS, PACKINGS

import tracer.trace.chrome.handover as handover
import tracer.trace.chrome.reader as reader
import tracer.trace.chrome.scanner as scanner
import tracer.trace.source as source_module
from tracer.trace.chrome.layout import sniff
from tracer.trace.columns import Trace, Want
from tracer.trace.names import LONGEST_NAME


def _as_document(data: bytes, want: Want = EVERYTHING) -> Trace:
    """Read without the scanner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "sniff", lambda _: None)
        return read_bytes(data, want)


@cache
def _expected(path: Path) -> dict[str, Any]:
    """Of a real trace: all columns, as they are without the scanner."""
    return spelled_out(_as_document(gzip.decompress(path.read_bytes())))


def _one_after_another(work: Callable[[int], Any], count: int, *, here: bool) -> list[Any]:
    return [work(share) for share in range(count)]


@pytest.fixture
def must_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Falling back to the document would hide what the scanner can't do."""

    def refuse(*_: Any) -> None:
        raise AssertionError("fell back to reading the whole document")

    monkeypatch.setattr(reader, "read_document", refuse)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_every_real_trace_gives_the_same_columns(
    chrome_trace: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = gzip.decompress(chrome_trace.read_bytes())
    expected = dict(_expected(chrome_trace))
    if layout == "a bare list":
        expected["devices"] = []  # which are not in the list
    written = LAYOUTS[layout](original)
    assert spelled_out(_as_document(written)) == expected
    assert spelled_out(read_bytes(written, jobs=1)) == expected
    monkeypatch.setattr(reader, "in_processes", _one_after_another)  # as the packings below are by real ones
    assert spelled_out(read_bytes(written, jobs=3)) == expected


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.usefixtures("must_scan")
def test_every_layout_is_recognised(layout: str, data: Path) -> None:
    original = gzip.decompress((data / "kineto_mi300x_bert.json.gz").read_bytes())
    assert len(read_bytes(LAYOUTS[layout](original)).ops) == 61


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_every_packing_gives_the_same_columns(data: Path, packing: str, jobs: int) -> None:
    path = data / "kineto_b200_vllm_eager.json.gz"
    packed = read_bytes(PACKINGS[packing](gzip.decompress(path.read_bytes())), jobs=jobs)
    assert spelled_out(packed) == _expected(path)


TRAPS = [
    '{"ph": "X", "cat": "kernel", "name": "fake", "ts": 1, "dur": 1},',
    '"}, {"ph": "X", "cat": "kernel"',
    '"cat": "kernel"',
    '\\"cat\\": \\"kernel\\"',
    "\n  },\n  {\n",
    "}]}",
    '}], "x": [{',
    "\\",
    '\\"',
    "]",
    "{lambda(int)#1}::operator()() const::{lambda()#4}}",
    "\u2028\u00e9\U0001f600\x00\x1f",
    '"traceEvents": [',
]
names = st.one_of(
    st.sampled_from(TRAPS), st.text(max_size=12), st.lists(st.sampled_from(TRAPS), max_size=3).map("".join)
)
values = st.one_of(
    names, st.lists(st.dictionaries(st.sampled_from(["cat", "name", "x"]), names, max_size=2), max_size=3)
)
times = st.integers(0, 10**9).map(lambda ns: ns / 1000)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    name, number = draw(names), draw(st.integers(1, 9))
    make = [
        lambda: kernel(draw(names), draw(times), draw(times), number, args={draw(names): draw(values)}),
        lambda: launch(draw(times), draw(times), number),
        lambda: span(draw(names), draw(times), draw(times)),
        lambda: operator(draw(names), draw(times), draw(times)),
        lambda: capture(draw(times), draw(times)),
        lambda: {"ph": "M", "name": "process_name", "pid": 1, "args": {"name": name, "nested": [{"cat": name}]}},
        lambda: {"ph": "i", "s": "g", "name": name, "ts": draw(times)},
    ]
    events = [draw(st.sampled_from(make))() for _ in range(draw(st.integers(0, 9)))]
    return document(*events, **{"distributedInfo": {"note": name}, "deviceProperties": [{"id": 0, "name": name}]})


@st.composite
def blocks(draw: st.DrawFn) -> int:
    return draw(st.sampled_from([37, 64, 333, 1 << 20]))


@given(
    documents(),
    st.sampled_from(sorted(LAYOUTS)),
    blocks(),
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from([0, 4096]),
)
@settings(max_examples=300)
def test_nothing_inside_a_string_can_fool_the_scanner(
    data: bytes, layout: str, block_bytes: int, jobs: int, packed: bool, short: int
) -> None:
    written = LAYOUTS[layout](data)
    expected = spelled_out(_as_document(written))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source_module, "BLOCK_BYTES", block_bytes)
        patch.setattr(handover, "RUN_BYTES", 256)
        patch.setattr(scanner, "SHORT_TEXT_BYTES", short)
        patch.setattr(reader, "in_processes", _one_after_another)
        assert spelled_out(read_bytes(gzip.compress(written) if packed else written, jobs=jobs)) == expected


@given(st.binary(max_size=300))
def test_sniffing_never_fails(head: bytes) -> None:
    sniff(head)
    sniff(b'{"traceEvents": [' + head)


def _events(count: int) -> Iterator[dict[str, Any]]:
    for number in range(1, count + 1):
        yield launch(10 * number, 1, number)
        yield kernel(f"k{number % 3}", 10 * number + 2, 3, number)


@pytest.mark.usefixtures("must_scan")
@pytest.mark.parametrize("jobs", [1, 2, 3, 8, 64])
def test_no_event_is_lost_or_doubled_between_processes(jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if jobs > 8:  # the same shares, whoever reads them
        monkeypatch.setattr(reader, "in_processes", _one_after_another)
    data = json.dumps({"traceEvents": list(_events(500))}, indent=1).encode()
    trace = read_bytes(data, jobs=jobs)
    assert trace.ops.correlation.tolist() == list(range(1, 501))
    assert trace.calls.correlation.tolist() == list(range(1, 501))
    assert trace.events == 1000


@pytest.mark.usefixtures("must_scan")
def test_calls_that_matter_to_nobody_are_not_kept(data: Path) -> None:
    with gzip.open(data / "kineto_b200_vllm_eager.json.gz") as file:
        trace = read_bytes(file.read())
    names = {trace.strings[name] for name in trace.calls.name.tolist()}
    assert names == {"cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx", "cudaMemcpyAsync"}


def test_a_layout_that_changes_in_the_middle_is_read_as_a_document() -> None:
    one = json.dumps(list(_events(40)), indent=2)[1:-1].rstrip()
    other = json.dumps([kernel("late", 1, 1, 77)])[1:-1]
    assert 77 in read_bytes(f'{{"traceEvents": [{one},{other}\n]}}'.encode()).ops.correlation.tolist()


@pytest.mark.usefixtures("must_scan")
def test_a_category_may_be_the_first_key() -> None:
    events = ({"cat": event.pop("cat"), **event} for event in _events(40))
    data = json.dumps({"traceEvents": list(events)}).encode()
    assert len(read_bytes(data).ops) == len(read_bytes(data.replace(b", ", b",").replace(b": ", b":")).ops) == 40


@pytest.mark.parametrize("spelling", [b'"cat" :', b'"cat":  ', b'"cat":\n', b'"cat"\t: ', b'"cat"\n:'])
def test_a_category_in_another_spelling_is_not_overlooked(spelling: bytes) -> None:
    for count in (3, 100):
        data = json.dumps({"traceEvents": list(_events(count))}).encode()
        middle = data.index(b'"cat": "kernel"', len(data) // 2)
        assert len(read_bytes(data[:middle] + data[middle:].replace(b'"cat":', spelling)).ops) == count


def test_an_argument_may_be_called_as_a_category_is() -> None:
    named = {"args": {"cat": "kernel", "words": ["cat", "kernel"], "ph": "X"}}
    work, other = kernel("a", 1, 1, 1), {**kernel("b", 2, 1, 2), "cat": "cuda_sync"}
    data = document(work, {**other, **named}, {**span("c", 1, 1), **named}, {**operator("d", 1, 1), **named})
    for layout in (bytes, LAYOUTS["indented"]):
        trace = read_bytes(layout(data))
        assert spelled_out(trace) | {"events": []} == spelled_out(_as_document(data)) | {"events": []}
        assert len(trace.ops) == 1


def test_an_event_of_many_blocks_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "BLOCK_BYTES", 1000)
    long = "x" * LONGEST_NAME
    trace = read_bytes(document(kernel("a", 0, 1, 1), kernel(long, 1, 1, 2), kernel("b", 2, 1, 3)), jobs=3)
    assert [trace.strings[name] for name in trace.ops.name.tolist()] == ["a", long, "b"]

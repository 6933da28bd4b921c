"""What a file may ask for: a small one never gets gigabytes, an honest one of any size is read as ever."""

from __future__ import annotations

import gzip
import io
import sqlite3
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from support.chrome import document, kernel, launch, span
from support.layouts import LAYOUTS
from support.nsight import Export

import tracer.saved as saved
import tracer.summarize as summarize
from tracer.choices import Choices
from tracer.cli.app import run
from tracer.document.errors import InputError
from tracer.trace.columns import Trace, Want
from tracer.trace.limits import DEFAULT, NO_LIMITS, Limits, OverLimitError
from tracer.trace.reader import read_trace
from tracer.trace.source import Source

MB = 1 << 20
OPENING = b'{"traceEvents": [\n'
EVENT = b'{"ph": "X", "cat": "kernel", "name": "k", "ts": 1, "dur": 1}'
SMALL = Limits(unpacked_bytes=4 * MB, kept_events=1000, event_bytes=MB, document_bytes=32 * MB)


def _zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("trace.json", data)
    return file.getvalue()


PACKINGS = {"gzip": gzip.compress, "zstandard": zstandard.compress, "zip": _zipped}


def _read(path: Path, data: bytes, limits: Limits = SMALL, **options: int) -> Trace:
    path.write_bytes(data)
    return read_trace(path, Want.SUMMARY, limits=limits, **options)


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("jobs", [1, 3])
def test_a_packed_file_unpacks_to_so_much_and_no_more(packing: str, jobs: int, tmp_path: Path) -> None:
    frame = b',\n{"ph": "X", "cat": "python_function", "name": "forward", "ts": 1, "dur": 1}'
    data = PACKINGS[packing](OPENING + EVENT + frame * 60_000 + b"]}")
    path = tmp_path / "run"
    with pytest.raises(InputError, match=r"run: 0 MB that unpack to more than 4 MB; --no-limit reads it all the same$"):
        _read(path, data, jobs=jobs)
    assert len(_read(path, data, NO_LIMITS, jobs=jobs).ops) == 1
    assert len(_read(path, data, DEFAULT, jobs=jobs).ops) == 1


def test_a_large_packed_file_may_have_a_hundred_times_its_size() -> None:
    assert DEFAULT.most_unpacked(5 * MB) == 4 << 30
    assert DEFAULT.most_unpacked(62 * MB) == 6200 * MB
    assert DEFAULT.most_events(62 * MB, 1) == 62 * MB // 4
    assert DEFAULT.most_events(1, 4) == 5_000_000
    assert NO_LIMITS.most_unpacked(1) is NO_LIMITS.most_events(1, 1) is None


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_packed_file_keeps_so_many_events_and_no_more(jobs: int, tmp_path: Path) -> None:
    data = OPENING + b",\n".join([EVENT] * 30_000) + b"]}"
    path = tmp_path / "run"
    with pytest.raises(InputError, match="more events than a packed file of its size"):
        _read(path, gzip.compress(data), jobs=jobs)
    assert len(_read(path, data, jobs=jobs).ops) == 30_000  # each of a plain file's events is in the file
    assert len(_read(path, gzip.compress(data), NO_LIMITS, jobs=jobs).ops) == 30_000


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("layout", ["one line", "indented"])
def test_an_event_without_end_is_not_waited_for(pack: Callable[[bytes], bytes], layout: str, tmp_path: Path) -> None:
    data = LAYOUTS[layout](document(kernel("a", 1, 1, 1), kernel("b", 2, 1, 2))).removesuffix(b"\n")
    data = data[: data.rindex(b"}", 0, -2)] + b', "x": "' + b"a" * 3 * MB
    path = tmp_path / "run"
    with pytest.raises(InputError, match=r"a single event of more than 1 MB; --no-limit"):
        _read(path, pack(data))
    assert len(_read(path, pack(data), NO_LIMITS).ops) >= 1


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("objects of nothing", b'{"traceEvents": [' + b"{}," * 100_000 + b"{}]}"),
        ("no objects", b'{"traceEvents": [' + b"0," * 400_000 + b"0]}"),
        ("lists of nothing", b'{"traceEvents": [' + b"[]," * 300_000 + b"[]]}"),
    ],
)
def test_a_document_that_would_take_much_memory_is_refused_before_it_does(
    what: str, data: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "run"
    for packed in (data, gzip.compress(data)):
        with pytest.raises(InputError, match=r"as one document it would take \d+ MB of memory; --no-limit"):
            _read(path, packed)


def test_a_document_is_estimated_at_no_less_than_it_takes(tmp_path: Path) -> None:
    events = [kernel("void k<float>(int)", at, 1, at) for at in range(3000)] + [launch(at, 1, at) for at in range(3000)]
    for data in (document(*events), b'{"traceEvents": [' + b"{}," * 20_000 + b"{}]}", b"[" + b"0," * 50_000 + b"0]"):
        tracemalloc.start()
        try:
            _read(tmp_path / "run", data, NO_LIMITS)
        except InputError:
            pass
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        with pytest.raises(OverLimitError):
            Limits(document_bytes=peak - MB).check_document(data)
        Limits(document_bytes=4 * peak).check_document(data)


def test_a_text_too_large_for_any_document_is_not_unpacked_whole(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.write_bytes(gzip.compress(b"[" + b" " * 40 * MB))
    tracemalloc.start()
    with Source(path, Limits(document_bytes=8 * MB)) as source, pytest.raises(InputError, match="too large"):
        source.read_all()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MB


def test_thousands_of_tiny_members_are_read_as_one(tmp_path: Path) -> None:
    data = document(kernel("a", 1, 1, 1))
    path = tmp_path / "run.gz"
    path.write_bytes(b"".join(gzip.compress(data[place : place + 1]) for place in range(len(data))))
    with Source(path) as source:
        assert [len(block) for block in source.blocks()] == [len(data)]
    path.write_bytes(path.read_bytes()[:-9])
    with Source(path) as source:
        assert b"".join(source.blocks()).rstrip(b"}") == data.rstrip(b"}")
        assert source.damage == "it breaks off"


# -- Nsight exports ----------------------------------------------------------------------------------------------------


def test_rows_that_share_their_texts_are_refused(tmp_path: Path) -> None:
    path = _sharing_one_text(tmp_path / "shared.sqlite", length=100_000)
    with pytest.raises(InputError, match="its rows share their texts, which are longer than the file"):
        read_trace(path, Want.SUMMARY, jobs=1)


def test_the_twin_with_a_text_of_its_own_in_each_row_is_read(tmp_path: Path) -> None:
    export = Export().kernel("k", 0, 5, 1)
    for number in range(60):
        export.span(f"{number:03}" * 5000, number, number + 1)
    assert len(export.trace().ranges) == 60


def test_a_text_in_the_place_of_a_number_is_none(tmp_path: Path) -> None:
    export = Export().kernel("k", 0, 5, 1).kernel("k", 6, 7, 2, streamId="x" * 100_000)
    assert export.trace().ops.stream.tolist() == [7, -1]


def _sharing_one_text(path: Path, length: int) -> Path:
    """An export whose ranges have one long text: each row's cell points to the same chain of pages."""
    size = 512
    # Of a payload, the less stays in its cell the more of them fit: 39 bytes, and what fills no page of its own.
    for text in range(length, length + size):
        path.unlink(missing_ok=True)
        Export().kernel("k", 0, 5, 1).nvtx(59, 1, 2, "A" * text).write(path)
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA page_size = {size}")
        connection.execute("VACUUM")
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'NVTX_EVENTS'").fetchone()
        connection.close()
        data = bytearray(path.read_bytes())
        leaf = data[(root - 1) * size : root * size]
        # Its only cell ends with the page: the payload's length, the row's number, its beginning, its next page.
        (start,) = struct.unpack(">H", leaf[8:10])
        number = _behind_varint(leaf, start)
        length_of_payload, payload = bytes(leaf[start:number]), bytes(leaf[_behind_varint(leaf, number) :])
        rows = (size - 8) // (len(length_of_payload) + 1 + len(payload) + 2)
        if rows > 5:
            break
    data[(root - 1) * size : root * size] = _leaf(
        [length_of_payload + bytes([row]) + payload for row in range(1, rows + 1)], size
    )
    path.write_bytes(data)
    return path


def _behind_varint(page: bytes | bytearray, place: int) -> int:
    """The place behind a number of seven bits a byte."""
    while page[place] & 128:
        place += 1
    return place + 1


def _leaf(cells: list[bytes], size: int) -> bytes:
    page, at, places = bytearray(size), size, b""
    for cell in cells:
        at -= len(cell)
        page[at : at + len(cell)] = cell
        places += struct.pack(">H", at)
    page[:8] = bytes([13]) + struct.pack(">HHHB", 0, len(cells), at, 0)
    page[8 : 8 + len(places)] = places
    return bytes(page)


# -- Through the commands ----------------------------------------------------------------------------------------------


def test_every_verb_that_reads_traces_lifts_the_limits_if_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    class Seen(Source):
        def __init__(self, path: str | Path, limits: Limits = DEFAULT) -> None:
            seen.append(limits)
            super().__init__(path, limits)

    monkeypatch.setattr(saved, "Source", Seen)
    monkeypatch.setattr(summarize, "Source", Seen)
    monkeypatch.setattr("tracer.trace.source.Source", Seen)  # for who imports it when a verb runs
    path = str(tmp_path / "run.json")
    events = [span("tracer/prefill", 0, 9), launch(0, 1, 1), kernel("k", 1, 5, 1)]
    Path(path).write_bytes(document(*events))
    for verb in (
        ["summarize", path], ["compare", path, path], ["whatif", path, "--stage", "prefill=0.5"],
        ["explain", "launch-bound", path],
    ):  # fmt: skip
        for option, limits in (([], DEFAULT), (["--no-limit"], NO_LIMITS)):
            seen.clear()
            assert run([*verb, *option]) == 0
            assert set(seen) == {limits}


def test_a_saved_summary_is_held_to_the_limits_of_documents(tmp_path: Path) -> None:
    path = tmp_path / "saved.json"
    path.write_bytes(gzip.compress(b'{"schema": "tracer.summary/1", "x": [' + b"{}," * 100_000 + b"{}]}"))
    with pytest.raises(InputError, match="as one document it would take"):
        saved.load_summary(path, Choices(limits=SMALL))
    with pytest.raises(InputError, match="not a summary as this version"):
        saved.load_summary(path, Choices(limits=NO_LIMITS))

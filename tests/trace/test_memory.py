"""Memory is bounded by a multiple of the input, and where a file is scanned, by what is wanted of it."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

import tracer.trace.chrome.reader as reader
from tracer.document.errors import InputError
from tracer.summarize import summarize_file

# Bytes of memory for each byte of unpacked content: at worst, for files made to be as costly as can be.
MOST_TIMES_THE_INPUT = 50
BASE_BYTES = 2 << 20
SIZE = 100_000

OPENING = b'{"traceEvents": ['


def _peak_bytes(path: Path) -> int:
    tracemalloc.start()
    try:
        summarize_file(path)
    except InputError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def _list_of(event: bytes, ending: bytes = b"]}") -> bytes:
    return OPENING + b",".join([event] * (SIZE // (len(event) + 1))) + ending


FAMILIES = {
    "objects of nothing": _list_of(b"{}"),
    "no objects": _list_of(b"0"),
    "events of another type": _list_of(b'{"ph":0}'),
    "smallest ops": _list_of(b'{"ph":"X","cat":"kernel","ts":1,"dur":1}'),
    "torn": _list_of(b'{"ph":"X","cat":"kernel","ts":1,"dur":1}', ending=b""),
    "bad numbers": _list_of(b'{"ph":"X","cat":"kernel","ts":inf,"dur":1}'),
    "beginnings": _list_of(b'{"ph":"B","cat":"cpu_op","ts":1}'),
    "beginnings and ends": _list_of(b'{"ph":"B","ts":1},{"ph":"E","ts":2}'),
    "heads without events": _list_of(b'{"ph":'),
    "nesting": OPENING + b"[" * SIZE,
    "one name": OPENING + b'{"ph":"X","cat":"kernel","name":"' + b"x" * SIZE + b'","ts":1,"dur":1}]}',
    "metadata": b'{"a": "' + b"x" * SIZE + b'", "traceEvents": []}',
    "devices": _list_of(b"{}")[:20] + b'}], "deviceProperties": [' + b",".join([b'{"id":1}'] * (SIZE // 9)) + b"]}",
    "spaces": OPENING + b" " * SIZE,
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("scanned", [True, False])
def test_memory_is_bounded_by_a_multiple_of_the_input(
    family: str, scanned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not scanned:
        monkeypatch.setattr(reader, "sniff", lambda _: None)
    path = tmp_path / "trace.json"
    path.write_bytes(FAMILIES[family])
    assert _peak_bytes(path) < BASE_BYTES + MOST_TIMES_THE_INPUT * path.stat().st_size


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_what_nobody_asked_for_costs_no_memory(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    frame = b'{"ph": "X", "cat": "python_function", "name": "forward", "ts": 1, "dur": 1}'
    work = b'{"ph": "X", "cat": "kernel", "name": "k", "ts": 1, "dur": 1}'
    peaks = []
    for megabytes in (4, 16):
        path = tmp_path / f"{megabytes}.json"
        count = (megabytes << 20) // len(frame)
        path.write_bytes(pack(OPENING + b", ".join([work] * 1000 + [frame] * count) + b"]}"))
        peaks.append(_peak_bytes(path))
    assert peaks[1] < peaks[0] + (1 << 20)

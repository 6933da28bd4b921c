"""What must hold of any bytes at all that are given to the reader; the fuzzer and the corpus test check the same."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec

import tracer.trace.chrome.handover as handover
import tracer.trace.chrome.reader as reader
import tracer.trace.chrome.scanner as scanner
import tracer.trace.source as source_module
from reports.text import render
from support.columns import spelled_out
from tracer.document.errors import InputError
from tracer.document.summary import decode, encode
from tracer.summarize import Choices, summarize_file
from tracer.trace.columns import Want
from tracer.trace.reader import read_trace

EVERYTHING = Want.SUMMARY | Want.CPU_OPS | Want.DETAILS
# Rendering takes as long as all the rest: of every so many inputs one is rendered.
RENDER_EVERY = 8
SMALL_BYTES = 211

Outcome = dict[str, Any] | str


def check_file(path: Path) -> None:
    """Read and summarise a file in every way.

    Raises:
        AssertionError: the ways disagree, or a sum is wrong.
        Exception: whatever the code under test raised and should not have.
    """
    scanned = _outcome(path)
    with _small_pieces():
        assert _outcome(path, jobs=1) == scanned, "small blocks give something else"
        assert _outcome(path, jobs=3) == scanned, "three processes give something else than one"
        if not _is_packed(path):
            packed = path.with_suffix(".packed")
            packed.write_bytes(gzip.compress(path.read_bytes(), 1))
            assert _outcome(packed, jobs=2) == scanned, "packed it is something else"
    with patch.object(reader, "sniff", lambda _: None):
        document = _outcome(path)
    if _is_json(path):
        assert _of_wanted(document) == _of_wanted(scanned), "scanner and document disagree"
    _outcome(path, strict=True)
    for choices in (Choices(), Choices(any_thread=True, clip_overlaps=True, all_ranges=True), Choices(shapes=True)):
        check_summary(path, choices)


def _outcome(path: Path, **options: Any) -> Outcome:
    """The columns and warnings, or why the file was refused."""
    try:
        trace = read_trace(path, EVERYTHING, **options)
    except InputError as error:
        message = str(error)
        assert message.startswith(f"{path}: "), message
        assert "\n" not in message, "an error is one line"
        return _DAMAGE.sub("damaged", message.removeprefix(str(path)))
    warnings = [_DAMAGE.sub("damaged", warning) for warning in trace.warnings]
    return spelled_out(trace) | {"warnings": warnings, "producer": trace.producer}


# What zstandard says is wrong depends on how much it was asked for.
_DAMAGE = re.compile(r"damaged \(.*?\)")


def _of_wanted(outcome: Outcome) -> Outcome:
    """Without what the scanner knows nothing of.

    It counts events by their phase keys, which an argument may have too, and never looks at those that nobody wants.
    """
    if isinstance(outcome, str):
        return outcome
    warnings = [warning for warning in outcome["warnings"] if not warning.endswith("left out: not readable")]
    return {key: outcome[key] for key in outcome if key != "events"} | {"warnings": warnings}


def check_summary(path: Path, choices: Choices) -> None:
    """Summarise a file, if it can be read: its parts add up, and its document is read again as it is."""
    try:
        summary = summarize_file(path, choices)
    except InputError:
        return
    device, rest = summary.device, summary.device.unattributed
    for key, of_stage in (("time_ns", "device_time_ns"), ("busy_ns", "busy_ns"), ("idle_ns", "idle_ns")):
        parts = [*(getattr(stage, of_stage) for stage in summary.stages), getattr(rest, key), getattr(device, key)]
        if None in parts:
            continue  # what lost launches did is in no sum
        whole = sum(parts[:-1])
        whole += device.between.idle_ns if key == "idle_ns" else 0
        assert getattr(device, key) == whole, f"{key} is not conserved"
        assert getattr(device, key) >= 0, f"{key} left 64 bits"
    assert all(min(row.device_time_ns or 0, row.ops or 0) >= 0 for row in summary.ranges)
    assert all(min(stage.cpu_ns, stage.span_ns or 0) >= 0 for stage in summary.stages)
    assert decode(encode(summary)) == summary
    if path.stat().st_size % RENDER_EVERY == 0:
        render(summary).encode()


def _is_packed(path: Path) -> bool:
    with source_module.Source(path) as source:
        return source.packed


def _is_json(path: Path) -> bool:
    """Whether the file is whole and good JSON, so that there is only one way to read it."""
    with source_module.Source(path) as source:
        try:
            data = source.read_all()
        except InputError:
            return False
        if source.damage is not None:
            return False
    data = data.removeprefix(source_module.BOM)
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
        json.loads(data, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return False
    return True


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("which of them counts is nowhere said")
    return dict(pairs)


def _no_constant(name: str) -> float:
    raise ValueError(name)


@contextmanager
def _small_pieces() -> Iterator[None]:
    """Blocks so small that events lie across them, and shares of work one after another."""
    with (
        patch.object(source_module, "BLOCK_BYTES", SMALL_BYTES),
        patch.object(reader, "BLOCK_BYTES", SMALL_BYTES),
        patch.object(handover, "RUN_BYTES", 2 * SMALL_BYTES),
        patch.object(scanner, "SHORT_TEXT_BYTES", 64),
        patch.object(reader, "in_processes", _one_after_another),
    ):
        yield


def _one_after_another(work: Callable[[int], Any], count: int, *, here: bool) -> list[Any]:
    return [work(share) for share in range(count)]

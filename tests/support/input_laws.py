"""What must hold of any bytes that are given in place of a manifest, an event file, an Nsight export or a name.

Each ends in a result or in an error of ours, of one line; what is shown never steers a terminal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from model.errors import InputError as ModelInputError
from model.inputs.events import read_events
from reports.blocks import Block
from reports.document import of_comparison, of_prediction, of_summary
from reports.render import markdown, text
from support.chrome import Event, frame, kernel, launch, operator, span
from support.laws import check_summary
from tracer.compare.pairs import compare
from tracer.document.comparison import encode as encode_comparison
from tracer.document.errors import InputError, TracerError
from tracer.document.summary import Summary, encode
from tracer.predict.whatif import Changes, Speculate, predict
from tracer.summarize import Choices, summarize_file

EVENTS = (
    span("tracer/request#0", 0, 100), span("tracer/vision", 0, 20), launch(1, 1, 1), kernel("a", 3, 5, 1),
    span("tracer/prefill", 20, 30), launch(21, 1, 2), kernel("b", 23, 5, 2),
    span("tracer/decode#1", 50, 4), launch(51, 1, 3), kernel("c", 52, 1, 3),
    span("tracer/decode#2", 54, 4), launch(55, 1, 4), kernel("c", 56, 1, 4),
)  # fmt: skip
# Showing takes as long as all the rest: of every so many inputs one is shown in every way.
SHOW_EVERY = 4
CHANGES = (
    Changes(stages={"decode": 0.5}, launch_overhead=0.0), Changes(stages={}, batch_frames=2, decode="graph"),
    Changes(stages={}, visual_tokens=0.5, bandwidth=2.0),
    Changes(stages={}, speculate=Speculate(drafted=4, acceptance=(0.7,))),
)  # fmt: skip


def check_manifest(data: bytes, folder: Path) -> None:
    """A trace with these bytes for a manifest is summarised, compared with itself and predicted from."""
    path = folder / "run.json"
    path.write_bytes(_trace_with(data))
    choices = Choices(peak_tflops=1.0, peak_gbs=1.0)
    check_summary(path, choices)
    try:
        summary = summarize_file(path, choices)
    except TracerError as error:
        _check_message(str(error))
        return
    _check_shown(summary)
    for change in CHANGES:
        try:
            found = predict(summary, change)
            encode_prediction(found)
            _check_blocks(of_prediction(found))
        except TracerError as error:
            _check_message(str(error).replace(str(path), ""))


def encode_prediction(found: Any) -> bytes:
    """A prediction as JSON; numbers that JSON has no words for would be lost in it."""
    import msgspec

    data = msgspec.json.encode(found)
    json.loads(data, parse_constant=_no_constant)
    return data


def _no_constant(name: str) -> float:
    raise AssertionError(f"{name} is no JSON")


def _trace_with(manifest: bytes) -> bytes:
    events = ",\n".join(json.dumps(event) for event in EVENTS).encode()
    return b'{"traceEvents": [\n' + events + b'\n],\n"tracer": ' + manifest + b"}"


def check_events(data: bytes, folder: Path) -> None:
    """An event file is read or refused."""
    path = folder / "events.npy"
    path.write_bytes(data)
    try:
        stream = read_events(path)
    except ModelInputError as error:
        assert str(path) in str(error)
        return
    assert len(stream) == len(stream.y) == len(stream.positive) == len(stream.t) > 0
    assert stream.x.min() >= 0 <= stream.y.min()


def check_export(data: bytes, folder: Path) -> None:
    """An Nsight export is read or refused, and its time is conserved."""
    path = folder / "export.sqlite"
    path.write_bytes(data)
    for choices in (Choices(jobs=1), Choices(jobs=1, any_thread=True, clip_overlaps=True, all_ranges=True)):
        try:
            check_summary(path, choices)
            summary = summarize_file(path, choices)
        except InputError as error:
            _check_message(str(error).replace(str(path), ""))
            return
    _check_shown(summary)


def check_name(name: str, folder: Path) -> None:
    """A name may stand wherever a trace has one."""
    path = folder / "names.json"
    path.write_bytes(
        json.dumps({"traceEvents": list(_named(name)), "deviceProperties": [{"id": 0, "name": name}]}).encode()
    )
    for choices in (Choices(), Choices(by="kernel"), Choices(by="op", all_ranges=True), Choices(by="module")):
        _check_shown(summarize_file(path, choices))


def _named(name: str) -> list[Event]:
    return [
        span(name, 0, 100), span("step[" + name, 0, 100), span("execute_context_1(" + name, 0, 100), operator(name, 1,
        9), frame(name, 0, 90), frame("nn.Module: " + name + "_0", 1, 9), launch(1, 1, 1), {**launch(4, 1, 2),
        "name": name}, {**launch(6, 1, 3), "name": "cuda" + name}, kernel(name, 10, 5, 1), kernel(name + "x", 15, 5, 2),
        {**kernel("k", 20, 5, 3), "tid": name}, kernel("Memcpy " + name, 30, 5, 4, cat="gpu_memcpy"),
    ]  # fmt: skip


def _check_shown(summary: Summary) -> None:
    """Every way to show it succeeds and holds nothing that steers a terminal."""
    data = encode(summary)
    json.loads(data, parse_constant=_no_constant)
    if len(data) % SHOW_EVERY:
        return
    _check_blocks(of_summary(summary))
    try:
        found = compare([summary, summary])
    except TracerError:
        return
    json.loads(encode_comparison(found), parse_constant=_no_constant)
    _check_blocks(of_comparison(found))


def _check_blocks(blocks: Sequence[Block]) -> None:
    for width in (40, 120):
        _check_text(text.render(blocks, width=width))
    _check_text(markdown.render(blocks, heading="x"))


def _check_text(shown: str) -> None:
    bad = {char for char in shown if not char.isprintable() and char != "\n"}
    assert not bad, f"shown as they are: {bad}"


def _check_message(message: str) -> None:
    assert "\n" not in message, "an error is one line"


# The first byte of an input says what the rest is.
CHECKS: dict[bytes, Callable[[bytes, Path], None]] = {
    b"m": check_manifest,
    b"e": check_events,
    b"s": check_export,
    b"n": lambda data, folder: check_name(data.decode("utf-8", errors="replace"), folder),
}


def check_input(data: bytes, folder: Path) -> None:
    """Check an input of any of the kinds."""
    if data[:1] in CHECKS:
        CHECKS[data[:1]](data[1:], folder)

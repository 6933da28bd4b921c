"""No name from a file steers the terminal, wherever it stands and whichever way it is shown."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from support import manifests
from support.chrome import document, frame, kernel, launch, operator, span
from support.nsight import Export
from support.typed import typed

from tracer.cli import streams
from tracer.cli.output import _COLOUR, COLOURS_FORCED, for_errors, for_output, spelled_out

# Sets a title, clears the screen, links, in seven and eight bits; writes from right to left, hides, breaks lines.
EVIL = "\x1b]0;title\x07\x1b[2J\x1b]8;;http://x\x1b\\\x9b31m\x9d0;x\x9c\x7f\x08\x0b\u202e\u2066\u200b\u2028\ufeff"
FILE_NAME = EVIL.replace("/", "")


def _steers(char: str) -> bool:
    return char not in "\n" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    done = typed(*arguments)
    assert "Traceback" not in done.stderr
    assert not [char for char in done.stdout + done.stderr if _steers(char)]
    return done


def test_every_character_that_steers_is_spelled_out_and_no_other_is() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        steers = _steers(char) and char not in "\t\r"
        if unicodedata.category(char) == "Cf" and spelled_out(char) == char:
            # Signs of Arabic, Syriac and Kaithi, of hieroglyphs, shorthand and music: they are seen.
            assert code in {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD} or code > 0x13000
            continue
        if 0xE0000 <= code <= 0xE0FFF or code in (0x180E, 0x2065):  # tags and what else is never seen
            continue
        assert (spelled_out(char) != char) is steers, hex(code)


def test_a_document_means_the_same_when_it_is_spelled_out() -> None:
    value = {"name": EVIL + "\U000e0041", "other": "µs │ é 漢 🙂"}
    text = json.dumps(value, ensure_ascii=False)
    assert json.loads(spelled_out(text)) == value
    assert "µs │ é 漢 🙂" in spelled_out(text)


@pytest.mark.parametrize("safe", [for_output(terminal=True), for_errors(terminal=True)], ids=["stdout", "stderr"])
def test_colours_pass_on_a_terminal_and_nothing_else_does(safe: Callable[[str], str]) -> None:
    written = safe(f"\x1b[1;38;5;8mred\x1b[0m {EVIL}")
    assert written.startswith("\x1b[1;38;5;8mred\x1b[0m \\u001b]0;title\\u0007\\u001b[2J")
    assert not [char for char in re.sub(_COLOUR, "", written) if _steers(char)]


def test_bars_move_on_stderr_alone() -> None:
    moves = "\r\x1b[2K\x1b[1A\x1b[?25l\x1b[?25h"
    assert for_errors(terminal=True)(moves) == moves
    assert "\x1b" not in for_output(terminal=True)(moves)


def test_where_there_is_no_terminal_colours_pass_only_if_they_are_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in COLOURS_FORCED:
        monkeypatch.delenv(name, raising=False)
    assert for_output(terminal=False)("\x1b[1mx") == for_errors(terminal=False)("\x1b[1mx") == "\\u001b[1mx"
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert for_output(terminal=False)("\x1b[1mx") == for_errors(terminal=False)("\x1b[1mx") == "\x1b[1mx"


def test_a_message_is_one_line_without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.StringIO()
    monkeypatch.setattr(sys, "stderr", given)
    streams.tell(f"a\nb {EVIL}\x1b[31m")
    assert given.getvalue().startswith("tracer: a b \\u001b]0;title")
    assert given.getvalue().count("\n") == 1
    assert "\x1b" not in given.getvalue()


def _chrome(folder: Path) -> Path:
    recorded = manifests.as_metadata(
        [manifests.latencies(sample=number % 2) for number in range(6)], dtype=EVIL,
        model=dict.fromkeys(("name", "size", "weights", "input", "decode"), EVIL),
        software={EVIL: EVIL}, device={"type": "cuda", "name": EVIL},
        options={EVIL: EVIL}, samples=[manifests.sample(EVIL + str(number)) for number in range(2)],
    )  # fmt: skip
    events = [
        span(EVIL, 0, 900), span("tracer/request#0", 0, 900), span("tracer/prefill", 0, 400), operator(EVIL, 1, 9),
        frame("nn.Module: " + EVIL + "_0", 1, 9), frame(EVIL, 0, 90), {**launch(1, 1, 1), "tid": EVIL},
        kernel(EVIL, 10, 5, 1), launch(4, 1, 2), kernel(f"[bold red]{EVIL}[/]", 20, 5, 2), {**kernel("k", 30, 5),
    "pid": EVIL}, ]  # fmt: skip
    path = folder / f"{FILE_NAME}.json"
    path.write_bytes(
        document(*events, tracer=recorded, deviceProperties=[{"id": 0, "name": EVIL}], distributedInfo={EVIL: EVIL})
    )
    return path


def _nsight(folder: Path) -> Path:
    export = Export().kernel(EVIL, 0, 5, 1).call(0, 1, 1, name=EVIL).span(EVIL, 0, 9).span("tracer/prefill", 0, 9)
    export.nvtx(75, 0, None, EVIL, domainId=3).span("x", 1, 2, domainId=3)
    export.row("TARGET_INFO_GPU", id=0, cuDevice=0, name=EVIL).row(
        "META_DATA_EXPORT", name="EXPORT_PRODUCT_VERSION", value=EVIL
    )
    return export.write(folder / f"{FILE_NAME}.sqlite")


@pytest.mark.parametrize("make", [_chrome, _nsight])
def test_every_name_in_a_trace_in_every_report(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path)
    for options in ([], ["--format", "markdown"], ["--by", "kernel"], ["--all-ranges"]):
        assert _run("summarize", path, *options).returncode == 0
    saved = tmp_path / f"{FILE_NAME}.saved.json"
    done = _run("summarize", path, "--format", "json")
    saved.write_text(done.stdout)
    assert json.loads(done.stdout)["trace"]["path"] == str(path)
    assert _run("compare", saved, path).returncode == 0
    assert _run("compare", saved, path, "--format", "markdown").returncode == 0
    _run("whatif", path, "--stage", "prefill=0.5")
    _run("explain", "launch-bound", path)


@pytest.mark.parametrize(
    "content",
    [b"{", b"", b"\x1f\x8bxx", b'{"a": 1}', b"SQLite format 3\0xx", b'{"schema": "tracer.summary/1", "\x1b[2J": 1}'],
)
def test_an_error_names_a_file_without_obeying_it(content: bytes, tmp_path: Path) -> None:
    (tmp_path / f"{FILE_NAME}.json").write_bytes(content)
    for arguments in (["summarize", tmp_path], ["compare", *[tmp_path / f"{FILE_NAME}.json"] * 2]):
        done = _run(*arguments)
        assert done.returncode == 1
        assert "\\u001b]0;title" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a file's name is text")
def test_a_file_name_that_is_no_text(tmp_path: Path) -> None:
    good, bad = tmp_path / os.fsdecode(b"a\xff.json"), tmp_path / os.fsdecode(b"b\xff.json")
    good.write_bytes(document(span("tracer/prefill", 0, 9), launch(0, 1, 1), kernel("k", 1, 5, 1)))
    bad.write_bytes(b"{")
    for options in ([], ["--format", "json"], ["--format", "markdown"]):
        done = _run("summarize", good, *options)
        assert (done.returncode, done.stderr) == (0, "")
    done = _run("summarize", bad)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "b\\udcff.json: " in done.stderr
    saved = tmp_path / "saved.json"
    saved.write_text(_run("summarize", good, "--format", "json").stdout)
    assert _run("compare", saved, good).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="needs a pseudo-terminal")
def test_on_a_terminal_nothing_but_colours_gets_through(tmp_path: Path) -> None:
    path = _chrome(tmp_path)
    master, slave = os.openpty()
    environment = {**os.environ, "TERM": "xterm-256color"}
    child = subprocess.Popen(
        [sys.executable, "-m", "tracer", "summarize", str(tmp_path)], stdout=slave, stderr=slave, env=environment
    )
    os.close(slave)
    shown = b""
    try:
        while piece := os.read(master, 65536):
            shown += piece
    except OSError:  # how a terminal ends whose other side is closed
        pass
    assert child.wait() == 0
    os.close(master)
    text = shown.decode()
    assert "\x1b[" in text
    assert not [char for char in re.sub(_COLOUR, "", text) if _steers(char) and char != "\r"]
    assert path.name not in text

"""`tracer ab` as a person types it; but for one, with recordings that are there already."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.chrome import write
from support.manifests import as_metadata
from support.summaries import KERNELS, events, requests
from support.typed import typed

from tracer.cli.ab import JUDGED, LOG
from tracer.cli.app import run
from tracer.cli.sides import parse_sides
from tracer.document.errors import GateError, InputError, UsageError

Recorder = Callable[[Sequence[str], Path], None]


@pytest.mark.parametrize(
    ("words", "first", "second"),
    [
        ("--size tiny -- --size 7b", ["--size", "tiny"], ["--size", "7b"]),
        ("--", [], []),
        ("a.py -- --auto b.py 3", [], ["--auto"]),
    ],
)
def test_two_runs_are_read(words: str, first: list[str], second: list[str]) -> None:
    sides = parse_sides(words.split())
    assert [list(side.options) for side in sides] == [first, second]


def test_a_script_of_python_is_started_with_this_python_and_any_other_command_as_it_stands() -> None:
    one, other = parse_sides(["a.py", "3", "--", "./run.sh", "--fast"])
    assert one.command == (sys.executable, "a.py", "3")
    assert other.command == ("./run.sh", "--fast")
    assert one.arguments(Path("x.json.gz"), first=False)[-4:] == ["--", sys.executable, "a.py", "3"]


def test_stages_are_proved_by_the_first_recording_of_each_run_unless_somebody_says_otherwise() -> None:
    plain, proved = parse_sides(["--size", "tiny", "--", "--verify"])
    assert [("--no-verify" in plain.arguments(Path("x"), first=first)) for first in (True, False)] == [False, True]
    assert "--no-verify" not in proved.arguments(Path("x"), first=False)
    assert "--no-verify" not in parse_sides(["a.py", "--", "b.py"])[0].arguments(Path("x"), first=False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--size tiny", "ab takes two runs: write tracer ab -- OPTIONS OF A -- OPTIONS OF B"),
        ("a.py -- b.py -- c.py", "ab takes two runs"),
        ("--output x.json -- --size 7b", "A: --output is not for one of many recordings"),
        ("--size 7b -- --output=x.json", "B: --output is not for one of many recordings"),
        ("--auto -- b.py", "A: --auto is for a script"),
    ],
)
def test_what_is_no_two_runs_is_wrong_usage(words: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_sides(words.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--precision", "0%"], "--precision: write a percentage above 0"),
        (["--precision", "2"], "--precision 2: write a percentage"),
        (["--max-time", "soon"], "--max-time soon: write a time such as 90s, 20min or 2h"),
        (["--max-time", "0s"], "--max-time 0s: write a time"),
        (["--of", "everything"], "--of everything: choose from load, "),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_recorded(
    options: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        run(["ab", *options, "--", "--size", "tiny", "--", "--size", "7b"])
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One is in it; and a recording whose options have `--slow` takes half as long again for vision."""
    monkeypatch.chdir(tmp_path)
    _recorded_by(_record, monkeypatch)
    return tmp_path


def _recorded_by(record: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    import tracer.recording.fresh

    monkeypatch.setattr(tracer.recording.fresh, "record_afresh", record)


def _record(arguments: Sequence[str], log: Path) -> None:
    output = Path(arguments[arguments.index("--output") + 1])
    clean = requests(45 if "--slow" in arguments else 30, 3, louder=int(output.name[1:4]) % 7)
    write(output, *events(KERNELS), **{"tracer": as_metadata(clean)})
    log.touch()


def _ab(*options: str, a: Sequence[str] = (), b: Sequence[str] = ("--slow",)) -> int:
    return run(["ab", "--of", "vision", *options, "--", *a, "--", *b])


def test_a_session_is_judged_and_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _ab("--width", "100") == 0
    said = capsys.readouterr().out
    assert "B is slower in vision (+5" in said
    assert "6 recordings of each run, in " in said
    assert "It is known to ± " in said
    kept = sorted(path.name for path in (folder / "ab").iterdir())
    assert kept[:2] == ["a000.json.gz", "b000.json.gz"] or {"a000.json.gz", "b000.json.gz"} <= set(kept)
    assert sum(name.endswith(".json.gz") for name in kept) == 14
    assert {JUDGED, LOG} <= set(kept)
    document = json.loads((folder / "ab" / JUDGED).read_text())
    assert (document["schema"], document["turns"]["ended"]) == ("tracer.comparison/1", "precise")


def test_json_is_the_same_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _ab("--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads((folder / "ab" / JUDGED).read_text())


def test_a_limit_that_is_exceeded_is_the_code_3(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(GateError, match="vision is 5. % slower than the baseline; --max-regression 5%"):
        _ab("--max-regression", "5%")
    assert "FAILED" in capsys.readouterr().out
    assert _ab("--max-regression", "5%", "--force", b=()) == 0


def test_a_limit_on_what_there_was_no_time_to_record_cannot_be_judged(folder: Path) -> None:
    with pytest.raises(GateError, match="5% cannot be judged: nothing to compare yet: give it more time"):
        _ab("--max-regression", "5%", "--max-time", "0.001s")
    with pytest.raises(InputError, match="nothing to compare yet: give it more time"):
        _ab("--max-time", "0.001s", "--force")


def test_an_earlier_session_is_overwritten_only_if_that_is_wanted_and_nothing_else_is(folder: Path) -> None:
    _ab()
    (folder / "ab" / "mine.json").write_text("{}")
    with pytest.raises(UsageError, match="--output ab: holds an earlier session; --force overwrites it"):
        _ab()
    assert _ab("--force") == 0
    assert (folder / "ab" / "mine.json").exists()
    (folder / "file").touch()
    with pytest.raises(UsageError, match="--output file: is no folder"):
        _ab("--output", "file")


def test_an_interrupt_judges_what_was_recorded_until_then(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[str] = []

    def record(arguments: Sequence[str], log: Path) -> None:
        if len(made) == 9:
            raise KeyboardInterrupt
        made.append("one more")
        _record(arguments, log)

    _recorded_by(record, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        _ab()
    said = capsys.readouterr().out
    assert "Interrupted before that was reached." in said
    assert "too few to test anything" in said or "nothing can be judged" in said or "slower in vision" in said
    assert json.loads((folder / "ab" / JUDGED).read_text())["turns"]["ended"] == "interrupt"


@pytest.mark.parametrize("whole", [0, 1, 2, 3])
def test_an_interrupt_before_both_runs_had_a_turn_says_that_nothing_can_be_judged(
    whole: int, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[str] = []

    def record(arguments: Sequence[str], log: Path) -> None:
        if len(made) == whole:
            raise KeyboardInterrupt
        made.append("one more")
        _record(arguments, log)

    _recorded_by(record, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        _ab()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "tracer: nothing can be judged: both runs must have had a turn; what was recorded is in ab\n"
    assert len(list((folder / "ab").glob("*.json.gz"))) == whole


def test_a_recording_that_fails_is_said_after_what_was_recorded_is_judged(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[Any] = []

    def record(arguments: Sequence[str], log: Path) -> None:
        made.append(arguments)
        if len(made) == 12:
            raise InputError("out of memory on the device")
        _record(arguments, log)

    _recorded_by(record, monkeypatch)
    with pytest.raises(InputError, match="out of memory on the device"):
        _ab()
    assert "A recording failed before that was reached." in capsys.readouterr().out
    assert (folder / "ab" / JUDGED).exists()


def test_two_models_are_recorded_and_without_time_nothing_is_judged(tmp_path: Path) -> None:
    options = ["--device", "cpu", "--size", "tiny", "--frames", "1", "--max-new-tokens", "2", "--requests", "1"]
    done = typed("ab", "--max-time", "1s", "--", *options, "--", *options, "--batch-frames", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "tracer: nothing to compare yet: give it more time (--max-time)\n"
    assert sorted(path.name for path in (tmp_path / "ab").iterdir()) == ["a000.json.gz", "b000.json.gz", LOG]
    assert "verified: 2 tokens" in (tmp_path / "ab" / LOG).read_text()
    failed = typed("ab", "--output", "other", "--", "--size", "huge", "--", *options, folder=tmp_path)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("tracer: A: --size huge: eventgpt comes in tiny, 7b")

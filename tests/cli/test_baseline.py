"""`tracer baseline` and `compare --against` as a person types them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from support.room import room_for
from support.summaries import requests, save, summary
from support.typed import typed

from tracer.cli import kept
from tracer.cli.app import run
from tracer.document.errors import InputError, UsageError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that one is in, with two recordings."""
    monkeypatch.chdir(tmp_path)
    for vision in (30, 33):
        save(summary(requests(vision)), tmp_path / f"{vision}.json")
    return tmp_path


def test_a_baseline_is_kept_listed_compared_with_and_removed(project: Path) -> None:
    done = typed("baseline", "save", "main", "30.json", folder=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "kept in .tracer/baselines/main\nnext: tracer compare FILE --against main\n"
    (project / "30.json").unlink()
    assert typed("baseline", "list", folder=project).stdout == "main  1 recording  eventgpt 7b bfloat16 GPU\n"
    done = typed("compare", "33.json", "--against", "main", "--tolerance", "1%", folder=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nB is slower in vision (+10 %), " in done.stdout
    assert typed("baseline", "remove", "main", folder=project).stdout == "removed .tracer/baselines/main\n"
    assert not (project / ".tracer/baselines/main").exists()
    assert typed("baseline", "list", folder=project).stdout == "no baselines in .tracer/baselines\n"


def test_what_was_recorded_at_another_time_shows_no_difference_unless_drift_is_allowed_for(project: Path) -> None:
    typed("baseline", "save", "main", *["30.json"] * 5, folder=project)
    asked = ("compare", *["33.json"] * 5, "--against", "main", "--max-regression", "5%")
    refused = typed(*asked, folder=project)
    assert refused.returncode == 3
    assert "--max-regression 5% cannot be judged: the baseline is of another time" in refused.stderr
    assert "slower" not in refused.stdout.split("\n\n")[1].splitlines()[1]
    allowed = typed(*asked, "--tolerance", "1%", folder=project)
    assert allowed.returncode == 3
    assert "vision is 10 % slower than the baseline" in allowed.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("save",), "baseline save takes a name: tracer baseline save main"),
        (("save", "main"), "baseline save takes a name and files"),
        (("remove", "main", "30.json"), "baseline remove takes a name and no files"),
        (("list", "main"), "baseline list takes no name"),
        (("save", "../main", "30.json"), "'../main' is no name of a baseline"),
        (("save", ".hidden", "30.json"), "'.hidden' is no name of a baseline"),
        (("save", "a/b", "30.json"), "'a/b' is no name of a baseline"),
        (("save", "a" * 65, "30.json"), "is no name of a baseline"),
    ],
)
def test_what_makes_no_sense_is_refused(project: Path, arguments: tuple[str, ...], message: str) -> None:
    done = typed("baseline", *arguments, folder=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert not (project / ".tracer").exists()


def test_another_of_the_name_is_overwritten_only_if_that_is_wanted(project: Path) -> None:
    found = summary(requests(30, 2))
    folder = kept.save("main", [found, found], force=False)
    with pytest.raises(UsageError, match="main: exists already; --force overwrites it"):
        kept.save("main", [found], force=False)
    assert len(list(folder.iterdir())) == 2
    kept.save("main", [found], force=True)
    assert [path.name for path in kept.found("main")] == ["001.json"]


def test_nothing_is_written_or_removed_through_a_link(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    save(summary(requests(30)), elsewhere / "001.json")
    (project / ".tracer/baselines").mkdir(parents=True)
    (project / ".tracer/baselines/main").symlink_to(elsewhere)
    for act in (
        lambda: kept.save("main", [summary(requests(30, 1))], force=True),
        lambda: kept.remove("main"),
        lambda: kept.found("main"),
    ):
        with pytest.raises(InputError, match="main: a link, which may lead anywhere"):
            act()
    assert [path.name for path in elsewhere.iterdir()] == ["001.json"]
    assert kept.names() == []


def test_removing_leaves_what_is_not_ours(project: Path) -> None:
    folder = kept.save("main", [summary(requests(30, 1))], force=False)
    (folder / "notes.txt").write_text("mine")
    kept.remove("main")
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_no_such_baseline_is_told_with_those_that_there_are(project: Path) -> None:
    with pytest.raises(InputError, match="there is none; tracer baseline save NAME FILE"):
        kept.found("main")
    kept.save("other", [summary(requests(30, 1))], force=False)
    done = typed("compare", "33.json", "--against", "main", folder=project)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "tracer: .tracer/baselines/main: no such baseline; there are other\n"


def test_runs_of_as_many_recordings_as_the_baseline_has(project: Path) -> None:
    kept.save("main", [summary(requests(30, 1))] * 2, force=False)
    done = typed("compare", "33.json", "--against", "main", folder=project)
    assert (done.returncode, "run compared with it takes as many files; there is 1" in done.stderr) == (
        2,
        True,
    )
    done = typed("compare", "33.json", "33.json", "--against", "main", "--recordings", "3", folder=project)
    assert (done.returncode, "--recordings 3: the baseline main has 2" in done.stderr) == (2, True)
    assert typed("compare", "33.json", "33.json", "--against", "main", folder=project).returncode == 0


def test_a_full_disk_leaves_what_was_there_and_nothing_else(project: Path) -> None:
    found, other = summary(requests(30, 2)), summary(requests(40, 2))
    with room_for(100), pytest.raises(InputError, match="b1: File too large$"):
        kept.save("b1", [found], force=False)
    assert not (project / ".tracer").exists()
    before = (kept.save("b1", [found], force=False) / "001.json").read_bytes()
    with room_for(100), pytest.raises(InputError):
        kept.save("b1", [other, other], force=True)
    assert [path.read_bytes() for path in Path(".tracer/baselines/b1").iterdir()] == [before]


def test_a_damaged_baseline_hides_no_other(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("good", "worse"):
        kept.save(name, [summary(requests(30, 2))], force=False)
    (project / ".tracer/baselines/worse/001.json").write_text('{"schema":"tracer.summary/9"}')
    assert run(["baseline", "list"]) == 0
    good, worse = capsys.readouterr().out.splitlines()
    assert good == "good  1 recording  eventgpt 7b bfloat16 GPU"
    assert worse.startswith("worse  1 recording  cannot be read: .tracer/baselines/worse/001.json: not a summary")


def test_a_recording_is_no_baseline_of_two(project: Path) -> None:
    found = summary(requests(30, 2))
    for name, began_ns in (("a", 7), ("b", 7), ("c", 8)):
        save(msgspec.structs.replace(found, trace=msgspec.structs.replace(found.trace, began_ns=began_ns)), Path(name))
    with pytest.raises(InputError, match="b: the same recording as a; record each run several times, a file each"):
        run(["baseline", "save", "main", "a", "b"])
    assert run(["baseline", "save", "main", "a", "c"]) == 0

"""A recording whose last write fails is kept, and the message says where."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.manifests import latencies, manifest
from support.room import room_for

from tracer.document.errors import InputError
from tracer.recording.world.place import Place, told_path
from tracer.recording.world.world import OtherRankError, World
from tracer.recording.write.output import check_output
from tracer.recording.write.workspace import Workspace, workspace
from tracer.summarize import summarize_file

MANIFEST = manifest([latencies()])


def _captures(folder: Path, events: int) -> list[Path]:
    event = '{"ph": "X", "name": "aten::add", "ts": 1.5, "dur": 2}'
    path = folder / "capture-0.json"
    path.write_text(f'{{"schemaVersion": 1, "traceEvents": [{", ".join([event] * events)}]}}')
    return [path]


def _fails(work: Workspace, output: Path, captures: list[Path]) -> str:
    with pytest.raises(InputError) as raised:
        work.write(output, captures, MANIFEST)
    return str(raised.value)


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))


def test_what_succeeds_leaves_the_run_and_nothing_else(tmp_path: Path) -> None:
    with workspace() as work:
        work.write(tmp_path / "run.json", _captures(work.folder, 3), MANIFEST)
    assert not work.folder.exists()
    assert len(json.loads((tmp_path / "run.json").read_text())["traceEvents"]) == 3


def test_where_the_run_has_no_room_it_is_kept_packed_beside(tmp_path: Path) -> None:
    with workspace() as work:
        captures = _captures(work.folder, 5000)
        with room_for(100_000):
            said = _fails(work, tmp_path / "run.json", captures)
    assert said == f"{tmp_path}/run.json: File too large; the recording is kept in {tmp_path}/run.json.gz"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.json.gz", "temporary"]
    assert not work.folder.exists()


def test_a_file_that_is_there_already_is_not_what_it_is_kept_in(tmp_path: Path) -> None:
    (tmp_path / "run.json.gz").write_text("another")
    with workspace() as work:
        captures = _captures(work.folder, 5000)
        with room_for(100_000):
            said = _fails(work, tmp_path / "run.json", captures)
    assert said.endswith(f"the recording is kept in {work.folder}/run.json.gz")
    assert (tmp_path / "run.json.gz").read_text() == "another"
    assert [path.name for path in work.folder.iterdir()] == ["run.json.gz"]


def test_where_the_folder_is_gone_it_is_kept_in_the_temporary_one(tmp_path: Path) -> None:
    with workspace() as work:
        said = _fails(work, tmp_path / "gone" / "run.json", _captures(work.folder, 3))
    assert said.endswith(f"No such file or directory; the recording is kept in {work.folder}/run.json.gz")
    assert [path.name for path in work.folder.iterdir()] == ["run.json.gz"]


def test_where_nothing_can_be_written_the_captures_stay(tmp_path: Path) -> None:
    with workspace() as work:
        captures = _captures(work.folder, 3)
        with room_for(0):
            said = _fails(work, tmp_path / "run.json", captures)
    assert said.endswith(f"what the profiler left is kept in {work.folder}")
    assert captures[0].is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]


@pytest.mark.parametrize("broken", ["broken off", "missing"])
def test_where_a_capture_is_damaged_the_latencies_are_a_run_of_their_own(tmp_path: Path, broken: str) -> None:
    with workspace() as work:
        captures = _captures(work.folder, 3)
        text = captures[0].read_bytes()
        captures[0].write_bytes(text[:-9]) if broken == "broken off" else captures[0].rename(work.folder / "left.tmp")
        said = _fails(work, tmp_path / "run.json", captures)
    kept = tmp_path / "run.latencies.json"
    assert re.search(r"run.json: torch.profiler wrote (a trace that is not JSON|no trace) \(", said)
    assert said.endswith(f"; what the profiler left is kept in {work.folder}, the latencies in {kept}")
    assert len(list(work.folder.iterdir())) == 1
    summary = summarize_file(kept)
    assert summary.latency is not None
    assert summary.latency.requests == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_error_before_the_write_leaves_no_folder(error: type[BaseException]) -> None:
    with pytest.raises(error), workspace() as work:
        (work.folder / "capture").touch()
        raise error
    assert not work.folder.exists()


def test_without_a_folder_for_temporary_files_nothing_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(InputError, match="no folder for temporary files .*; TMPDIR names one"), workspace():
        pass


def test_a_name_that_is_no_text_can_be_written(tmp_path: Path) -> None:
    output = tmp_path / "caf\udce9.json"
    check_output(output, force=False)
    with workspace() as work:
        work.write(output, _captures(work.folder, 3), MANIFEST)
    assert json.loads(output.read_text())["traceName"] == "caf?.json"


class Ranks(World):
    """A run of three, in which this process is rank 1, and the others say what they are made to say."""

    def __init__(self, folder: Path, *others: str, lost: str = "") -> None:
        super().__init__(Place(rank=1, size=3, local=1, folder=folder))
        self.others, self.lost, self.said = others, lost, ""

    def gather(self, said: str) -> list[str]:
        self.said = said
        if self.lost:
            raise RuntimeError(self.lost)
        return [self.others[0], said, self.others[1]]


def _there(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_ranks_that_all_could_write_put_their_files_in_their_places(tmp_path: Path) -> None:
    world = Ranks(tmp_path / "temporary", "", "")
    with workspace() as work:
        work.write(tmp_path / "run.rank1.json", _captures(work.folder, 3), MANIFEST, world)
    assert (_there(tmp_path), world.said) == (["run.rank1.json"], "")
    assert told_path(tmp_path / "temporary", 1).read_text() == f"{tmp_path}/run.rank1.json"


@pytest.mark.parametrize(
    ("others", "said"),
    [(("", "failed"), "recording of rank 2 could"), (("failed", "failed"), "recording of rank 0, 2 could")],
)
def test_where_another_rank_could_not_write_a_whole_recording_is_kept_beside_the_old_one(
    tmp_path: Path, others: tuple[str, str], said: str
) -> None:
    (tmp_path / "run.rank1.json").write_text("of an earlier run")
    (tmp_path / "run.rank1.kept.json").write_text("of another")
    kept = tmp_path / "run.rank1.kept-2.json"
    with workspace() as work, pytest.raises(OtherRankError, match=f"{said} not be written; .* kept in {kept}$"):
        work.write(
            tmp_path / "run.rank1.json", _captures(work.folder, 3), MANIFEST, Ranks(tmp_path / "temporary", *others)
        )
    assert len(json.loads(kept.read_text())["traceEvents"]) == 3
    assert (tmp_path / "run.rank1.json").read_text() == "of an earlier run"
    assert told_path(tmp_path / "temporary", 1).read_text() == str(kept)


def test_where_another_rank_is_gone_a_whole_recording_is_kept(tmp_path: Path) -> None:
    world = Ranks(tmp_path, lost="[gloo/transport/tcp/pair.cc:525] Connection closed by peer. See more")
    with workspace() as work, pytest.raises(OtherRankError, match="another rank is gone .* whole and kept in "):
        work.write(tmp_path / "run.rank1.json", _captures(work.folder, 3), MANIFEST, world)
    assert "run.rank1.kept.json" in _there(tmp_path)


def test_a_rank_that_cannot_write_tells_the_others_and_keeps_its_own(tmp_path: Path) -> None:
    world = Ranks(tmp_path / "temporary", "", "")
    with workspace() as work:
        captures = _captures(work.folder, 5000)
        with room_for(100_000), pytest.raises(InputError) as raised:
            work.write(tmp_path / "run.rank1.json", captures, MANIFEST, world)
    assert str(raised.value).endswith(f"File too large; the recording is kept in {tmp_path}/run.rank1.json.gz")
    assert (_there(tmp_path), world.said) == (["run.rank1.json.gz"], "failed")

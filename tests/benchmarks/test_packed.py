"""What scripts on a GPU leave behind is few files, and all texts are among them."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest
from packed import ARCHIVE, MOST, pack, working_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_texts_go_into_one_archive_traces_only_where_asked_for_and_what_lay_there_stays(tmp_path: Path) -> None:
    (tmp_path / "mine.json.gz").write_text("not the script's")
    work = working_folder(tmp_path)
    (work / "host").mkdir()
    for name in ("a.json", "b.txt", "host/truth.json", "kept.json.gz", "other.json.gz"):
        (work / name).write_text(name)
    assert pack(work, ["kept.json.gz", "a.json", "never_came.json"]) == [ARCHIVE, "kept.json.gz", "a.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "kept.json.gz", "mine.json.gz", ARCHIVE]
    with tarfile.open(tmp_path / ARCHIVE) as archive:
        assert archive.getnames() == ["a.json", "b.txt", "host/truth.json"]


def test_too_many_files_are_refused_before_anything_is_moved(tmp_path: Path) -> None:
    work = working_folder(tmp_path)
    (work / "a.json").write_text("a")
    with pytest.raises(ValueError, match="more than 8"):
        pack(work, [str(number) for number in range(MOST)])
    assert (work / "a.json").read_text() == "a"

"""Where a trace may come from."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.chrome import document, kernel
from support.typed import typed

from tracer.document.errors import InputError, MissingError
from tracer.trace import parallel
from tracer.trace.columns import Want
from tracer.trace.folder import choose_trace
from tracer.trace.parallel import in_processes
from tracer.trace.reader import read_trace

DATA = document(kernel("k", 0, 1, 1))


def _zip(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize("content", [DATA, gzip.compress(DATA)], ids=["plain", "gzip"])
def test_standard_input_is_a_source(content: bytes) -> None:
    done = typed("summarize", "-", stdin=content)
    assert "1 device op " in done.stdout
    assert done.stdout.startswith("standard input · ")


def test_a_zip_has_one_member(tmp_path: Path) -> None:
    path = tmp_path / "trace.zip"
    path.write_bytes(_zip(a=DATA))
    assert len(read_trace(path, Want.SUMMARY).ops) == 1
    path.write_bytes(_zip(a=DATA, b=DATA))
    with pytest.raises(InputError, match="a zip of 2 files"):
        read_trace(path, Want.SUMMARY)
    path.write_bytes(_zip())
    with pytest.raises(InputError):
        read_trace(path, Want.SUMMARY)


@pytest.mark.parametrize("magic", [b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"\x1f\x8b"])
def test_packing_that_is_none_is_refused_in_one_line(tmp_path: Path, magic: bytes) -> None:
    path = tmp_path / "trace"
    path.write_bytes(magic + b"nonsense" * 10)
    with pytest.raises(InputError) as error:
        read_trace(path, Want.SUMMARY)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def _write(folder: Path, name: str, rank: int | None, age: int) -> Path:
    metadata = {} if rank is None else {"distributedInfo": {"backend": "nccl", "rank": rank}}
    path = folder / name
    content = document(kernel("k", 0, 1, 1), **metadata)
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    os.utime(path, (1_000_000 - age, 1_000_000 - age))
    return path


def test_of_a_folder_the_newest_is_chosen_and_ranks_are_told_apart(tmp_path: Path) -> None:
    older = _write(tmp_path, "host_1.pt.trace.json", 0, age=20)
    newest = _write(tmp_path, "host_2.pt.trace.json.gz", 1, age=5)
    named = _write(tmp_path, "rank07_trace.json", None, age=30)
    (tmp_path / "notes.txt").touch()
    assert choose_trace(tmp_path) == (newest, 3)
    assert choose_trace(tmp_path, 0) == (older, 1)
    assert choose_trace(tmp_path, 1) == (newest, 1)
    assert choose_trace(tmp_path, 7) == (named, 1)
    with pytest.raises(InputError, match="no trace of rank 3"):
        choose_trace(tmp_path, 3)


def test_the_command_says_which_trace_of_a_folder_it_reads(tmp_path: Path) -> None:
    _write(tmp_path, "a.json", 0, age=9)
    newest = _write(tmp_path, "b.json", 1, age=1)
    done = typed("summarize", tmp_path)
    assert done.stderr == f"tracer: reading {newest}, the newest of 2\n"
    done = typed("summarize", tmp_path, "--rank", "0")
    assert "a.json, the only one of rank 0" in done.stderr
    done = typed("summarize", newest, "--rank", "0")
    assert (done.returncode, done.stderr) == (2, f"tracer: --rank 0: {newest} is not a folder\n")
    (tmp_path / "empty").mkdir()
    done = typed("summarize", tmp_path / "empty")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


def test_work_is_done_in_order_in_as_many_processes() -> None:
    assert in_processes(lambda share: (share, os.getpid()), 1) == [(0, os.getpid())]
    results = in_processes(lambda share: (share, os.getpid()), 3)
    assert [share for share, _ in results] == [0, 1, 2]
    assert len({process for _, process in results}) == 3


def test_the_first_share_may_be_done_by_a_process_of_its_own_too() -> None:
    results = in_processes(lambda share: (share, os.getpid()), 2, here=False)
    assert [share for share, _ in results] == [0, 1]
    assert len({os.getpid(), *(process for _, process in results)}) == 3


def test_columns_of_any_length_come_over_as_they_were_and_may_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "SEGMENT_BYTES", 64)
    made = {length: np.arange(length, dtype=kind) for length, kind in ((0, "i8"), (3, "i1"), (40, "i4"), (5, "i8"))}
    _, found = in_processes(lambda share: made if share else {}, 2)
    assert {length: column.tolist() for length, column in found.items()} == {n: list(range(n)) for n in made}
    assert all(column.flags.writeable for column in found.values())


def test_a_process_that_dies_is_an_error_and_not_a_hang() -> None:
    def work(share: int) -> int:
        if share:
            os._exit(9)
        return share

    with pytest.raises(MissingError, match="--jobs 1"):
        in_processes(work, 2)

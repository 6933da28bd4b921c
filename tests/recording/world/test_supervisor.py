"""Ranks end together, whatever happens to one of them, and the run says which it was. The ranks are small scripts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import pytest

from tracer.document.errors import InputError, TracerError, UsageError
from tracer.recording.world import supervisor
from tracer.recording.world.supervisor import run_ranks

# A rank that waits where no signal handler of Python's is heard, as in a collective, and ends as ranks do.
WAITS = """
    import ctypes, pathlib, shutil
    from tracer.recording.world.ending import listen, remove_unfinished
    own = pathlib.Path(os.environ["TMPDIR"], "own")
    own.mkdir()
    (own / "capture.json").write_text("half")
    (out / f".run.rank{rank}.json.abc.tmp").write_text("half")
    tidy = lambda: remove_unfinished(out / f"run.rank{rank}.json", own)
    def orphaned():
        tidy()
        shutil.rmtree(folder)
    listen(tidy, orphaned, pipe=0)
    (out / f"waits{rank}").write_text(str(os.getpid()))
    while True:
        ctypes.CDLL(None).sleep(1000)
"""
# What a rank is told of before it does something else than wait.
THEN = """
    while not (out / f"waits{1 - rank}").exists():
        time.sleep(0.01)
"""


@pytest.fixture
def ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for two ranks; `does` puts in what each does."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(supervisor, "PROGRAM", (sys.executable, str(tmp_path / "rank.py")))
    return tmp_path


def does(folder: Path, *work: str) -> None:
    lines = ["import os, pathlib, sys, time", "from tracer.recording.world.supervisor import Outcome, outcome_path",
             "import msgspec", "rank, folder = int(os.environ['RANK']), pathlib.Path(os.environ['TRACER_RANKS'])",
             f"out = pathlib.Path({str(folder)!r})",
             "def fails(*messages, exit_code=1, **more):",
             "    outcome = Outcome(messages=list(messages), exit_code=exit_code, **more)",
             "    outcome_path(folder, rank).write_bytes(msgspec.json.encode(outcome))",
             "    os._exit(exit_code)"]  # fmt: skip
    for number, own in enumerate(work):
        lines += [f"if rank == {number}:", textwrap.indent(textwrap.dedent(own).strip() or "pass", "    ")]
    (folder / "rank.py").write_text("\n".join(lines))


def run(folder: Path) -> None:
    run_ranks(["record", "--some"], [folder / "run.rank0.json", folder / "run.rank1.json"])


def nothing_left(folder: Path) -> bool:
    """No process that waits, no file that is unfinished, nothing temporary."""
    waiting = [int(path.read_text()) for path in folder.glob("waits*")]
    return (
        not any(Path(f"/proc/{process}").exists() for process in waiting)
        and not list(folder.glob(".*.tmp"))
        and not list((folder / "temporary").iterdir())
    )


def test_ranks_that_do_well_are_waited_for(ranks: Path) -> None:
    told = "[*sys.argv[1:], os.environ['WORLD_SIZE'], os.environ['LOCAL_RANK']]"
    says = f"(out / f'done{{rank}}').write_text(' '.join({told}))"
    does(ranks, says, f"time.sleep(0.2); {says}")
    run(ranks)
    assert [(ranks / f"done{rank}").read_text() for rank in (0, 1)] == ["record --some 2 0", "record --some 2 1"]
    assert nothing_left(ranks)


def test_a_rank_that_is_killed_is_named_and_the_other_ended(ranks: Path) -> None:
    does(ranks, WAITS, THEN + "    os.kill(os.getpid(), 9)")
    with pytest.raises(InputError, match="^rank 1 of 2 was ended by SIGKILL; where nobody did that, this"):
        run(ranks)
    assert nothing_left(ranks)


def test_a_rank_that_fails_is_quoted(ranks: Path) -> None:
    does(ranks, THEN + "    fails('out of memory on the device')", WAITS)
    with pytest.raises(InputError, match="^rank 0 of 2: out of memory on the device$"):
        run(ranks)
    assert nothing_left(ranks)


def test_the_cause_is_named_and_not_who_only_lost_it(ranks: Path) -> None:
    """The one that lost it may end first."""
    does(ranks, "fails('another rank is gone', lost=True)", "time.sleep(0.5); fails('it broke')")
    with pytest.raises(InputError, match="^rank 1 of 2: it broke$"):
        run(ranks)


def test_who_only_lost_another_speaks_where_nobody_knows_more(ranks: Path) -> None:
    does(ranks, "fails('another rank is gone', lost=True)", "pass")
    with pytest.raises(InputError, match="^rank 0 of 2: another rank is gone$"):
        run(ranks)


def test_what_every_rank_would_say_names_none(ranks: Path) -> None:
    does(ranks, *["fails('no such size', exit_code=2, everywhere=True)"] * 2)
    with pytest.raises(UsageError, match="^no such size$"):
        run(ranks)


def test_the_last_words_of_a_rank_that_crashed_are_told(ranks: Path) -> None:
    does(ranks, WAITS, THEN + "    sys.exit('Segmentation of the library')")
    with pytest.raises(InputError, match=r"^rank 1 of 2 ended with the exit code 1 \(Segmentation of the library\)$"):
        run(ranks)
    assert nothing_left(ranks)


def test_what_a_rank_kept_stays_where_it_said(ranks: Path) -> None:
    """It could not write where it should, and says where its recording is."""
    keeps = "kept = folder / f'rank{rank}' / 'kept.json'; kept.write_text('x'); fails(f'kept in {kept}')"
    does(ranks, WAITS, THEN + f"    {keeps}")
    with pytest.raises(TracerError, match="kept in ") as error:
        run(ranks)
    assert Path(str(error.value).rpartition(" ")[2]).read_text() == "x"


# A rank that is at its last write, and the name its recording has, once whole, until those of the others are.
WRITES = """
    from tracer.recording.world.place import told_path
    kept = out / f"run.rank{rank}.kept.json"
    told_path(folder, rank).write_text(str(kept))
"""


def test_a_recording_that_is_whole_is_kept_and_said_where_another_fails(ranks: Path) -> None:
    """It may be whole, and end, only after the other has failed."""
    slow = "time.sleep(0.2)\n    kept.write_text('{}')\n    fails('that of rank 1 could not be written', lost=True)"
    does(
        ranks, WRITES + THEN + f"    {slow}", WRITES + "    (out / 'waits1').touch()\n    fails('run.rank1.json: full')"
    )
    kept = ranks / "run.rank0.kept.json"
    with pytest.raises(InputError, match=f"^rank 1 of 2: run.rank1.json: full; whole and kept: rank 0's in {kept}$"):
        run(ranks)
    assert kept.is_file()


def test_an_interrupt_removes_what_waits_for_its_place(ranks: Path) -> None:
    does(ranks, WRITES + "    kept.write_text('{}')\n" + WAITS, WAITS)
    interrupted(ranks)
    assert not (ranks / "run.rank0.kept.json").exists()


def test_an_interrupt_ends_all(ranks: Path) -> None:
    does(ranks, WAITS, WAITS)
    interrupted(ranks)


def interrupted(ranks: Path) -> None:
    """Interrupt the run once both ranks wait."""

    def interrupt() -> None:
        while not all((ranks / f"waits{rank}").exists() for rank in (0, 1)):
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run(ranks)
    assert nothing_left(ranks)


def test_ranks_end_with_whoever_started_them(ranks: Path) -> None:
    does(ranks, WAITS, WAITS)
    start = (
        "import sys, tempfile; from pathlib import Path; from tracer.recording.world import supervisor\n"
        f"tempfile.tempdir = {str(ranks / 'temporary')!r}; out = Path({str(ranks)!r})\n"
        f"supervisor.PROGRAM = (sys.executable, {str(ranks / 'rank.py')!r})\n"
        "supervisor.run_ranks([], [out / 'run.rank0.json', out / 'run.rank1.json'])"
    )
    with subprocess.Popen([sys.executable, "-c", start]) as parent:
        while not all((ranks / f"waits{rank}").exists() and (ranks / f"waits{rank}").read_text() for rank in (0, 1)):
            time.sleep(0.01)
        os.kill(parent.pid, signal.SIGKILL)
    while not nothing_left(ranks):
        time.sleep(0.01)

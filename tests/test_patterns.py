"""No pattern takes time that grows with the square of what it is given, on texts made to have it do so.

Every compiled pattern of ours is found, and texts are made of its own pieces: what it repeats, over and over, with an
end that does not fit. The work is done in a process of its own, since nothing interrupts a pattern. The processor time
that each is given is three times what the slowest takes; one whose work grows with the square needs three times that
and more, which texts of half the length and a quarter of the time show just so.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from support import typed

PROGRAM = Path(__file__).parent / "support/pattern_work.py"
LENGTH, PATIENCE_S = 50_000, 1.2


def test_every_pattern_is_done_with_hostile_texts_in_no_time() -> None:
    done = _run(LENGTH, PATIENCE_S)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, (lines[-1:], done.stderr)
    assert lines[-1].startswith("all of ")
    assert int(lines[-1].split()[2]) > 40


@pytest.mark.parametrize("pattern", [r"Layer\w*Block_\d+$", r"\]\s*\}?\s*\Z"])
def test_a_pattern_whose_work_grows_with_the_square_is_found(pattern: str) -> None:
    done = _run(LENGTH // 2, PATIENCE_S / 4, pattern)
    assert done.returncode == -signal.SIGPROF
    assert done.stdout.splitlines() == [pattern]


def test_a_twin_of_it_whose_work_does_not_is_none() -> None:
    assert _run(LENGTH, PATIENCE_S, r"\]\s*+(?:\}\s*)?\Z").returncode == 0


def _run(length: int, patience_s: float, *patterns: str) -> subprocess.CompletedProcess[str]:
    arguments = [typed.python(), str(PROGRAM), str(length), str(patience_s), *patterns]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)

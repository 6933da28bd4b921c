"""No pattern takes time that grows with the square of what it is given, on texts made to have it do so.

Every compiled pattern of ours is found, and texts are made of its own pieces: what it repeats, over and over, with an
end that does not fit. The work is done in a process of its own, since nothing interrupts a pattern. The time that it is
given is hundreds of times what it takes; one pattern whose work grows with the square needs longer than that by itself.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "support/pattern_work.py"
PATIENCE_S = 240


def test_every_pattern_is_done_with_hostile_texts_in_no_time() -> None:
    done = _run()
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("all of ")
    assert int(lines[-1].split()[2]) > 40


@pytest.mark.parametrize("pattern", [r"Layer\w*Block_\d+$", r"\]\s*\}?\s*\Z"])
def test_a_pattern_whose_work_grows_with_the_square_is_found(pattern: str) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        _run(pattern, patience_s=3)


def test_a_twin_of_it_whose_work_does_not_is_none() -> None:
    assert _run(r"\]\s*+(?:\}\s*)?\Z").returncode == 0


def _run(*patterns: str, patience_s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *patterns], capture_output=True, text=True, timeout=patience_s, check=False
    )

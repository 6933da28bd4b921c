"""What fuzzing once found wrong, read again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.input_laws import check_input
from support.laws import check_file

DATA = Path(__file__).parents[1] / "data"
CORPUS, INPUTS = DATA / "corpus", DATA / "corpus_inputs"


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.iterdir()))
def test_every_way_to_read_it_agrees(name: str, tmp_path: Path) -> None:
    check_file(Path(shutil.copy(CORPUS / name, tmp_path)))


@pytest.mark.parametrize("name", sorted(path.name for path in INPUTS.iterdir()))
def test_any_other_input_ends_in_a_result_or_in_one_line(name: str, tmp_path: Path) -> None:
    check_input((INPUTS / name).read_bytes(), tmp_path)


def test_the_corpus_stays_small() -> None:
    assert sum(path.stat().st_size for folder in (CORPUS, INPUTS) for path in folder.iterdir()) < 200_000

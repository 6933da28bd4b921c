"""What fuzzing once found wrong, read again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.laws import check_file

CORPUS = Path(__file__).parents[1] / "data/corpus"


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.iterdir()))
def test_every_way_to_read_it_agrees(name: str, tmp_path: Path) -> None:
    check_file(Path(shutil.copy(CORPUS / name, tmp_path)))


def test_the_corpus_stays_small() -> None:
    assert sum(path.stat().st_size for path in CORPUS.iterdir()) < 200_000

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model.errors import InputError
from model.inputs.events import EventStream
from model.inputs.frames import rasterise
from model.inputs.pictures import list_pictures, read_picture

events = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4), st.booleans()), min_size=1, max_size=40)


def _one_by_one(rows: list[tuple[int, int, bool]], frames: int) -> list[np.ndarray]:
    """The definition: white ground as far as a share's events go, painted in turn; the rest goes to the last."""
    share, pictures = len(rows) // frames, []
    for number in range(frames):
        stop = len(rows) if number == frames - 1 else (number + 1) * share
        part = rows[number * share : stop] or rows
        picture = np.full((max(y for _, y, _ in part) + 1, max(x for x, _, _ in part) + 1, 3), 255, dtype=np.uint8)
        for x, y, positive in rows[number * share : stop]:
            picture[y, x] = (255, 0, 0) if positive else (0, 0, 255)
        pictures.append(picture)
    return pictures


@given(events, st.integers(1, 6))
def test_drawing_all_at_once_equals_drawing_one_by_one(rows: list[tuple[int, int, bool]], frames: int) -> None:
    x, y, positive = (np.array(column) for column in zip(*rows, strict=True))
    stream = EventStream(x, y, positive, np.arange(len(rows)))
    for mine, theirs in zip(rasterise(stream, frames), _one_by_one(rows, frames), strict=True):
        assert np.array_equal(mine, theirs)


def test_each_picture_ends_where_the_events_of_its_part_end() -> None:
    stream = EventStream(np.array([9, 1, 2, 3]), np.array([7, 1, 2, 3]), np.array([True] * 4), np.arange(4))
    assert [picture.shape for picture in rasterise(stream, 2)] == [(8, 10, 3), (4, 4, 3)]


def test_pictures_come_in_natural_order(tmp_path: Path) -> None:
    for name in ("frame10.png", "frame2.png", "Frame1.PNG", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in list_pictures(tmp_path)] == ["Frame1.PNG", "frame2.png", "frame10.png"]


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pictures"):
        list_pictures(tmp_path)


def test_grey_pictures_become_rgb(tmp_path: Path) -> None:
    Image.new("L", (4, 3), 7).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").shape == (3, 4, 3)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match="a.png: not a picture"):
        read_picture(path)

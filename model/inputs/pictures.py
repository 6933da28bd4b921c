"""Pictures: read from files, in the natural order of their names."""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from model.errors import InputError
from model.inputs.budget import PictureBudget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Picture: TypeAlias = "np.ndarray[Any, np.dtype[np.uint8]]"

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}


def list_pictures(folder: Path) -> list[Path]:
    """The picture files of a folder, in the natural order of their names (2 before 10).

    Raises:
        InputError: there are none.
    """
    try:
        files = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None
    if not files:
        raise InputError(f"{folder}: no pictures ({', '.join(sorted(SUFFIXES))}) in this folder")
    return in_natural_order(files)


def in_natural_order(paths: list[Path]) -> list[Path]:
    """Sorted by name, numbers by their value: 2 before 10."""
    return sorted(paths, key=lambda path: [int(part) if part.isdigit() else part for part in _parts(path.name)])


def _parts(name: str) -> list[str]:
    # Splitting by digit runs alternates text and number, so keys of any two names compare type by type.
    return re.split(r"(\d+)", name)


def read_picture(path: Path, budget: PictureBudget | None = None) -> Picture:
    """Read one picture as uint8 [height, width, 3], within what is left of its sample's memory.

    Raises:
        InputError: it cannot be decoded, or is too large.
    """
    budget = budget or PictureBudget()
    from PIL import Image, UnidentifiedImageError

    try:
        with (
            warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning),
            _any_size(lifted=budget.most_bytes is None),
            Image.open(path) as image,
        ):
            budget.take(path, *image.size)
            return np.asarray(image.convert("RGB"), dtype=np.uint8)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError) as error:
        raise InputError(f"{path}: not a picture that can be read ({error})") from None


@contextmanager
def _any_size(*, lifted: bool) -> Iterator[None]:
    """Lift Pillow's own limit, which is of the whole process, for the length of a block."""
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    if lifted:
        Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before

"""Pictures for the vision tower: rasterised from events, or read from a folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from model.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from model.eventgpt.events import EventStream

Picture: TypeAlias = "np.ndarray[Any, np.dtype[np.uint8]]"

WHITE = 255
RED, BLUE = np.array([[255, 0, 0], [0, 0, 255]], dtype=np.uint8)
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}


def rasterise(events: EventStream, frames: int) -> list[Picture]:
    """Draw `frames` pictures, uint8 [height, width, 3], of equally many events each.

    White ground, red where a pixel got brighter, blue where darker; the last event at a pixel wins. The
    remainder of the division goes to the last picture. All pictures have the extent of the whole stream.
    """
    height, width = int(events.y.max()) + 1, int(events.x.max()) + 1
    share = len(events) // frames
    pictures = []
    for number in range(frames):
        part = slice(number * share, (number + 1) * share if number < frames - 1 else len(events))
        picture = np.full((height, width, 3), WHITE, dtype=np.uint8)
        # NumPy assigns repeated indices in order, so the last event at a pixel is the one that stays.
        picture[events.y[part], events.x[part]] = np.where(events.positive[part, None], RED, BLUE)
        pictures.append(picture)
    return pictures


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
    return sorted(files, key=lambda path: [int(part) if part.isdigit() else part for part in _parts(path.name)])


def _parts(name: str) -> list[str]:
    # Splitting by digit runs alternates text and number, so keys of any two names compare type by type.
    return re.split(r"(\d+)", name)


def read_picture(path: Path) -> Picture:
    """Read one picture as uint8 [height, width, 3].

    Raises:
        InputError: it cannot be decoded.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"), dtype=np.uint8)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError) as error:
        raise InputError(f"{path}: not a picture that can be read ({error})") from None

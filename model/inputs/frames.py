"""Event streams drawn as pictures for the vision tower."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from model.inputs.events import EventStream
    from model.inputs.pictures import Picture

WHITE = 255
RED, BLUE = np.array([[255, 0, 0], [0, 0, 255]], dtype=np.uint8)


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

"""Event streams drawn as pictures for the vision tower."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model.inputs.budget import PictureBudget
from model.inputs.limits import DEFAULT, SampleLimits

if TYPE_CHECKING:
    from model.inputs.events import EventStream
    from model.inputs.pictures import Picture

WHITE = 255
RED, BLUE = np.array([[255, 0, 0], [0, 0, 255]], dtype=np.uint8)


def rasterise(events: EventStream, frames: int, limits: SampleLimits = DEFAULT) -> list[Picture]:
    """Draw `frames` pictures, uint8 [height, width, 3], of equally many events each.

    White ground, red where a pixel got brighter, blue where darker; the last event at a pixel wins. The
    remainder of the division goes to the last picture. Each picture ends where the events of its own part end, as
    EventGPT's own code draws them (common/common.py of its repository), so pictures of a stream differ in size.

    Raises:
        InputError: they would take more memory than the pictures of a sample may.
    """
    PictureBudget(limits).take("an event stream", int(events.x.max()) + 1, int(events.y.max()) + 1, frames)
    share = len(events) // frames
    pictures = []
    for number in range(frames):
        part = slice(number * share, (number + 1) * share if number < frames - 1 else len(events))
        x, y = (events.x[part], events.y[part]) if part.stop > part.start else (events.x, events.y)
        picture = np.full((int(y.max()) + 1, int(x.max()) + 1, 3), WHITE, dtype=np.uint8)
        # NumPy assigns repeated indices in order, so the last event at a pixel is the one that stays.
        picture[events.y[part], events.x[part]] = np.where(events.positive[part, None], RED, BLUE)
        pictures.append(picture)
    return pictures

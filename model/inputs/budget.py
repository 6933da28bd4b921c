"""How much memory the pictures of one sample may take: each may be within bounds, and all together be too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.errors import InputError
from model.inputs.limits import ADVICE, DEFAULT, SampleLimits, beyond

if TYPE_CHECKING:
    from pathlib import Path

CHANNELS = 3


class PictureBudget:
    """What is left for the pictures of one sample."""

    def __init__(self, limits: SampleLimits = DEFAULT) -> None:
        self.most_bytes = limits.picture_bytes
        self._taken = 0

    def take(self, source: Path | str, width: int, height: int, count: int = 1) -> None:
        """Make room for pictures, uint8 [height, width, 3], before they are.

        Raises:
            InputError: there is none left.
        """
        self._taken += count * width * height * CHANNELS
        if beyond(self._taken, self.most_bytes):
            times = f", {count} times," if count > 1 else ""
            raise InputError(
                f"{source}: {width} x {height} pixels{times} would take the pictures of this sample beyond "
                f"{self.most_bytes:,} bytes; use fewer (--frames) or smaller ones, or: {ADVICE}"
            )

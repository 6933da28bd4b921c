"""How much memory the pictures of one sample may take: each may be within bounds, and all together be too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

# Of one sample, unpacked: 40 frames of 4K.
MOST_BYTES = 1 << 30
CHANNELS = 3


class PictureBudget:
    """What is left for the pictures of one sample."""

    def __init__(self) -> None:
        self._left = MOST_BYTES

    def take(self, source: Path | str, width: int, height: int, count: int = 1) -> None:
        """Make room for pictures, uint8 [height, width, 3], before they are.

        Raises:
            InputError: there is none left.
        """
        self._left -= count * width * height * CHANNELS
        if self._left < 0:
            times = f", {count} times," if count > 1 else ""
            raise InputError(
                f"{source}: {width} x {height} pixels{times} would take the pictures of this sample beyond "
                f"{MOST_BYTES:,} bytes; use fewer (--frames) or smaller ones"
            )

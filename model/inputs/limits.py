"""How much a sample may ask for before it is refused."""

from __future__ import annotations

from dataclasses import dataclass

ADVICE = "--no-limit reads it all the same"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleLimits:
    """What one sample may hold; None is without limit.

    Attributes:
        picture_bytes: of its pictures together, unpacked: 40 frames of 4K.
        events: of a stream, 25 bytes each in memory; the busiest sensor makes as many in seconds.
        frame_pixels: of a picture of a video; a frame beyond 8K is a mistake or an attack.
        frames: of a video that is decoded.
    """

    picture_bytes: int | None = 1 << 30
    events: int | None = 1 << 26
    frame_pixels: int | None = 8192 * 8192
    frames: int | None = 100_000


DEFAULT = SampleLimits()
NO_LIMITS = SampleLimits(picture_bytes=None, events=None, frame_pixels=None, frames=None)


def beyond(size: int, most: int | None) -> bool:
    """Whether so many are more than there may be."""
    return most is not None and size > most

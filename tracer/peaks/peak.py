"""A device's best, and where the figure is from."""

from __future__ import annotations

import msgspec


class Peak(msgspec.Struct, frozen=True, kw_only=True):
    """What a device can do at best.

    Attributes:
        tflops: dense arithmetic in the type of the weights, 10^12 operations a second; None if unknown.
        gbs: memory bandwidth, 10^9 bytes a second; None if unknown.
        source: where the figures are from.
    """

    tflops: float | None
    gbs: float | None
    source: str

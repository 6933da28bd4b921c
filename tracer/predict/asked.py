"""What a person asks to be different."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is different; None leaves it as it is.

    Attributes:
        stages: factor of a stage's time, by stage.
        launch_overhead: factor of the time in which the device waits.
        batch_frames: frames encoded in one call.
        decode: how decode steps are made, one of `DECODE_MODES`.
        visual_tokens: share of the visual tokens that stays.
        bandwidth: factor of the memory bandwidth.
        speculate: drafted tokens a step, and the probability that one is accepted.
    """

    stages: dict[str, float]
    launch_overhead: float | None = None
    batch_frames: int | None = None
    decode: str | None = None
    visual_tokens: float | None = None
    bandwidth: float | None = None
    speculate: tuple[int, float] | None = None

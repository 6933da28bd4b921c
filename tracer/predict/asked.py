"""What a person asks to be different."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracer.document.summary import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Speculate:
    """How tokens are drafted.

    Attributes:
        drafted: tokens a round, at least 1.
        acceptance: the probability that a drafted token is accepted if those before it are: by position, the last
            going on.
        draft: a recording of the draft by itself; None where the trace has rounds.
    """

    drafted: int
    acceptance: tuple[float, ...]
    draft: Summary | None = None


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
        speculate: how tokens are drafted and accepted.
    """

    stages: dict[str, float]
    launch_overhead: float | None = None
    batch_frames: int | None = None
    decode: str | None = None
    visual_tokens: float | None = None
    bandwidth: float | None = None
    speculate: Speculate | None = None

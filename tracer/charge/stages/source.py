"""What a source of stages is: a file of this folder that has one as `SOURCE` is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer.trace.columns import Want

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import Trace


def always(_trace: Trace) -> bool:
    """Whatever the trace."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSource:
    """Somebody who says what a stage is.

    Attributes:
        markers: whose markers they are, as the summary says it.
        rank: of several sources with stages in a trace the one with the lowest counts.
        find: the stages of a trace, None where this source knows of none.
        needs: what must have been read of the trace.
        promising: whether a trace that was read without `needs` is worth reading again for them.
        inferred: whether the stages are concluded from what was recorded to other ends. Such a source is asked even
            where a person said which ranges are stages, if there are none of those.
        last_resort: whether other sources that need more of the trace are asked first.
    """

    markers: str
    rank: int
    find: Callable[[Trace], StageRanges | None]
    needs: Want = Want.RANGES
    promising: Callable[[Trace], bool] = always
    inferred: bool = False
    last_resort: bool = False

"""What a trace cannot answer, whatever is asked of it; a fact more is a generator more in `abstentions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.summary import UNREAD, WAITING, Abstained, gathered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace


def abstentions(trace: Trace, ranges: StageRanges, work: Work) -> list[Abstained]:
    """Gather them: what, why, and what to do.

    Args:
        trace: as it was read.
        ranges: its stages.
        work: charged.
    """
    return gathered(_unread(trace), _clock(work), _stages(ranges, work), _latency(trace, ranges))


def _unread(trace: Trace) -> Iterator[Abstained]:
    if (unread := trace.unread) is not None:
        reason = f"written by {unread.producer}: {unread.reason}" if unread.producer else unread.reason
        yield Abstained(what=UNREAD, reason=reason, next_step=unread.next_step)


def _clock(work: Work) -> Iterator[Abstained]:
    if work.clock_is_off:
        yield Abstained(
            what=WAITING,
            reason="its clock is off against the host's: ops begin before their own launch",
            next_step="record again; if it stays so, update the driver and the profiler",
        )


def _stages(ranges: StageRanges, work: Work) -> Iterator[Abstained]:
    untold = ranges.untold
    if untold is not None:
        yield Abstained(what="stages", reason=f"cannot tell {untold.what}: {untold.reason}", next_step=untold.next_step)
    elif not len(ranges) and len(work):
        yield Abstained(
            what="stages",
            reason="nothing in the trace says which stage it is",
            next_step="name ranges of it (--marker STAGE=REGEX), or record with tracer record",
        )


def _latency(trace: Trace, ranges: StageRanges) -> Iterator[Abstained]:
    if len(ranges) and (trace.manifest is None or not trace.manifest.clean):
        yield Abstained(
            what="latency",
            reason="the trace holds no pass without a profiler",
            next_step="record with tracer record, which measures both",
        )

"""What a trace cannot answer, whatever is asked of it; a fact more is a generator more in `abstentions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.summary import Abstained, gathered

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
    return gathered(_stages(ranges, work), _before_the_prompt(ranges, work), _latency(trace, ranges))


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


def _before_the_prompt(ranges: StageRanges, work: Work) -> Iterator[Abstained]:
    if ranges.confidence is not None and bool((work.stage < 0).any()):
        yield Abstained(
            what="what comes before a prompt's pass, as a vision tower",
            reason="stages are inferred from what repeats, which tells the prompt's pass and decode steps alone",
            next_step="record with_stack=True, or mark the stages (tracer.stage; record_function and --marker)",
        )


def _latency(trace: Trace, ranges: StageRanges) -> Iterator[Abstained]:
    if len(ranges) and (trace.manifest is None or not trace.manifest.clean):
        yield Abstained(
            what="latency",
            reason="the trace holds no pass without a profiler",
            next_step="record with tracer record, which measures both",
        )

"""What a trace cannot answer, whatever is asked of it; a fact more is a generator more in `abstentions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.charge.joined import unjoined
from tracer.document.summary import (
    ALL_WORK,
    LATENCY,
    MARKS,
    UNHEARD,
    UNJOINED,
    UNMARKED,
    UNMEASURED,
    UNREAD,
    UNSEEN,
    UNSTAGED,
    UNWORKED,
    WAITING,
    Abstained,
    gathered,
)
from tracer.document.words import CLOCK, OTHER_CLOCK, counted
from tracer.measure.lost import without_activity
from tracer.measure.threads import ALL_THREADS
from tracer.measure.unseen import unseen_device
from tracer.trace.unread import why_unread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.unlaunched import Unlaunched
    from tracer.charge.work import Work
    from tracer.choices import Choices
    from tracer.document.summary import Lost, Stage
    from tracer.trace.columns import Trace


CALLS = (
    "record a shorter piece (a profiler whose buffers are full drops records), or with a newer profiler: early ones "
    "have no calls of the driver, by which Triton's kernels are launched"
)
NOTHING = (
    "record while the model runs, what ran on host and device (ProfilerActivity.CPU and that of the device; nsys "
    "profile --trace=cuda,nvtx), and write the trace after the profiler has stopped"
)
WORK = "record what ran in them (ProfilerActivity.CPU and that of the device; nsys profile --trace=cuda,nvtx)"


def abstentions(
    trace: Trace,
    ranges: StageRanges,
    work: Work,
    stages: Sequence[Stage],
    lost: Lost | None,
    *,
    rated: bool,
    unstaged: Abstained | None = None,
) -> list[Abstained]:
    """Gather them: what, why, and what to do.

    Args:
        trace: as it was read.
        ranges: its stages.
        work: charged.
        stages: added up.
        lost: what was launched and not recorded.
        rated: whether a roofline was asked for, or the recording says what its stages compute.
        unstaged: why there are no stages, by what else was recorded.
    """
    of_file = (_unread(trace), _clock(work), _unlaunched(trace, work))
    of_work = (
        _lost(stages, lost, rated=rated),
        _unseen(trace, lost),
        _unworked(trace, work, stages, lost),
        _unheard(trace, work, lost),
    )
    of_stages = (_stages(ranges, work, unstaged), _before_the_prompt(ranges, work))
    return gathered(*of_file, *of_work, *of_stages, _latency(trace, ranges))


def calls_lost(work: Work, untold: Unlaunched | None) -> list[Abstained]:
    """What is not known of stages that may have asked for ops whose launch was not recorded."""
    if untold is None:
        return []
    ops = counted(len(work), "device op")
    have = "has" if untold.ops == 1 else "have"
    reason = (
        f"{untold.ops:,} of {ops} {have} no launch record, though others before on the same stream have: "
        "the calls that launched them were not recorded, and whose they are is not known"
    )
    return [Abstained(what=ALL_WORK + stage, reason=reason, next_step=CALLS) for stage in untold.stages]


def _unread(trace: Trace) -> Iterator[Abstained]:
    if (unread := trace.unread) is not None:
        yield Abstained(what=UNREAD, reason=why_unread(unread), next_step=unread.next_step)


def _clock(work: Work) -> Iterator[Abstained]:
    if work.clock_is_off:
        yield Abstained(what=WAITING, reason=CLOCK, next_step=OTHER_CLOCK)


def _unlaunched(trace: Trace, work: Work) -> Iterator[Abstained]:
    if (untold := unjoined(trace, work)) is not None:
        yield Abstained(what=untold.what, reason=untold.reason, next_step=untold.next_step)


def _lost(stages: Sequence[Stage], lost: Lost | None, *, rated: bool) -> Iterator[Abstained]:
    if lost is None:
        return
    because = {"reason": lost.reason, "next_step": lost.next_step}
    unknown = [stage for stage in stages if stage.took_ns is None]
    for stage in unknown:
        times = "device, busy and idle time" if stage.device_time_ns is None else "idle time"
        yield Abstained(what=f"{times} of {stage.stage}", **because)
    if not unknown:
        yield Abstained(what="device, busy and idle time of what was launched there", **because)
    if rated:
        for stage in unknown:
            yield Abstained(what=f"roofline of {stage.stage}", **because)
        if not stages:
            yield Abstained(what="roofline", **because)


def _unseen(trace: Trace, lost: Lost | None) -> Iterator[Abstained]:
    sign = unseen_device(trace) if lost is None else None
    if sign is not None:
        yield Abstained(what=UNSEEN, reason=sign, next_step=without_activity(trace))


def _unworked(trace: Trace, work: Work, stages: Sequence[Stage], lost: Lost | None) -> Iterator[Abstained]:
    """Of a trace without any work; what of one with stacks is said by `_unheard`, unless it has stages."""
    if len(work) or lost is not None or trace.unread is not None or (trace.stacks and not stages):
        return
    ranges = len(trace.ranges) > 0
    yield Abstained(
        what=UNWORKED,
        reason=f"the trace holds {'ranges and no work' if ranges else 'no work'}: no device op, no launch and no CPU "
        "operator",
        next_step=WORK if ranges else NOTHING,
    )


def _unheard(trace: Trace, work: Work, lost: Lost | None) -> Iterator[Abstained]:
    """Of a recording with stacks and without any work: what worked was another thread."""
    if trace.stacks and not len(work) and lost is None and trace.unread is None:
        yield Abstained(
            what=UNHEARD,
            reason="Python frames were recorded, and no operator: the thread that started the profiler ran none",
            next_step=ALL_THREADS,
        )


def _stages(ranges: StageRanges, work: Work, otherwise: Abstained | None) -> Iterator[Abstained]:
    if len(ranges) and otherwise is not None and len(work):
        yield Abstained(what=MARKS, reason=otherwise.reason, next_step=otherwise.next_step)
    untold = ranges.untold
    if untold is not None and untold.what == UNJOINED:
        return
    if untold is not None:
        reason, next_step = f"cannot tell {untold.what}: {untold.reason}", untold.next_step
        if untold.by_names and otherwise is not None and "--marker" in otherwise.next_step:
            reason = f"{reason}; {otherwise.reason}"
            next_step = f"{otherwise.next_step.partition('; else ')[0]}; else {next_step}"
        yield Abstained(what=UNSTAGED, reason=reason, next_step=next_step)
    elif not len(ranges) and len(work):
        yield otherwise or Abstained(
            what=UNSTAGED,
            reason=UNMARKED,
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
            what=LATENCY,
            reason=UNMEASURED,
            next_step="record with tracer record, which measures both",
        )


def is_rated(trace: Trace, choices: Choices) -> bool:
    """Whether a roofline is asked for: by a person, or by a recording that says what its stages compute."""
    return choices.shapes or (trace.manifest is not None and trace.manifest.cost is not None)

"""What a request would take if something were different: simple models over what was measured, assumptions spelled out.

A stage's run takes `step_ns`, of which the device is busy for `busy_ns`. Where it waits for more than half, the host is
the limit, and less work on the device gains nothing; elsewhere a change of the busy time is a change of the step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.errors import InputError
from tracer.document.summary import ALL_WORK, UNREAD, Prediction, StagePrediction, why_unstaged
from tracer.document.words import listed, runs_of
from tracer.predict.asked import Changes, Speculate
from tracer.predict.changes import (
    bandwidth,
    batch_frames,
    decode,
    launch_overhead,
    speculate,
    stages,
    visual_tokens,
)
from tracer.predict.changes.decode import DECODE_MODES
from tracer.predict.runs import Case, Run

if TYPE_CHECKING:
    from tracer.document.summary import Summary

__all__ = ["DECODE_MODES", "Changes", "Speculate", "predict", "whole_ns"]

# Each changes what those before it left: how much work there is, how long the device is busy with it, how long it
# waits, how often that happens, and last what a person says.
ORDER = (batch_frames, visual_tokens, bandwidth, decode, launch_overhead, speculate, stages)


def predict(summary: Summary, changes: Changes) -> Prediction:
    """Predict stage and request times.

    Raises:
        InputError: the trace does not say what a change needs.
        UsageError: a stage that does not occur.
    """
    if not summary.budget:
        raise InputError(f"{summary.trace.path}: {_nothing(summary)}")
    now = {one.stage: Run(one.runs, one.busy_ns or 0.0, one.step_ns or 0.0) for one in summary.budget}
    case = Case(summary, dict(now))
    _refuse_unknown(case, changes)
    assumptions = [assumption for change in ORDER for assumption in change.apply(case, changes)]
    if summary.trace.confidence is not None:
        assumptions.append(
            f"the stages are inferred from what repeats, with a confidence of {summary.trace.confidence:.2f}"
        )
    predicted = [
        StagePrediction(stage=stage, now_ns=round(run.runs * run.step_ns), then_ns=round(then.runs * then.step_ns))
        for stage, run in now.items()
        for then in [case.runs[stage]]
    ] + case.added
    now_ns = whole_ns(summary)
    return Prediction(
        of=_of(summary),
        source="clean" if all(stage.clean for stage in summary.budget) else "trace",
        stages=predicted,
        now_ns=now_ns,
        then_ns=max(0, now_ns - sum(stage.now_ns - stage.then_ns for stage in predicted)),
        assumptions=[*assumptions, *_left_out(summary)],
        speculation=next(iter(case.priced), None),
    )


def _nothing(summary: Summary) -> str:
    """Why there is nothing to predict from, and what to do; ranges are named to others."""
    why = why_unstaged(summary.abstained)
    if why is None:
        return "it has no stages, so there is nothing to predict from"
    if why.what == UNREAD:
        return f"its work is not read: {why.because}, so there is nothing to predict from"
    return f"it has no stages, so there is nothing to predict from: {why.reason}; {why.unnamed}"


def whole_ns(summary: Summary) -> int:
    """What a request takes where the recording's latencies say so, as every report and finding says it; else all stages
    together, of one request where the recording says how often it runs each, else of the trace.

    Medians of stages do not add up to the median of requests.
    """
    latency, times = summary.latency, summary.budget
    if latency is not None and not latency.samples and times and all(time.clean for time in times):
        return latency.request_ns
    return sum(round(time.total_ns or 0) for time in times)


def _of(summary: Summary) -> str:
    if summary.run is None:
        return "the trace"
    return "a request like the recorded" if summary.latency is not None and summary.latency.samples else "a request"


def _refuse_unknown(case: Case, changes: Changes) -> None:
    """Refuse what would rest on work that was launched and not recorded.

    Raises:
        InputError: a stage's time is unknown, or the device's part of it, and a change needs that.
    """
    by_time_alone = changes == Changes(stages=changes.stages, speculate=changes.speculate)
    unknown = [
        one.stage for one in case.summary.budget if one.step_ns is None or (one.busy_ns is None and not by_time_alone)
    ]
    if unknown:
        raise InputError(f"{case.path}: what {listed(unknown)} would take cannot be predicted{case.because}")


def _left_out(summary: Summary) -> list[str]:
    return [
        f"{one.left_out:,} of {one.recorded:,} {runs_of(one.stage)} lack device ops and are taken to be like the others"
        for one in summary.budget
        if one.left_out and not one.clean
    ] + [
        f"{one.what} is taken to be what has a launch record: {one.reason}"
        for one in summary.abstained
        if one.what.startswith(ALL_WORK)
    ]

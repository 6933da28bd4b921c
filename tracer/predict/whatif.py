"""What a request would take if something were different: simple models over what was measured, assumptions spelled out.

A stage's run takes `step_ns`, of which the device is busy for `busy_ns`. Where it waits for more than half, the host is
the limit, and less work on the device gains nothing; elsewhere a change of the busy time is a change of the step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.errors import InputError
from tracer.document.summary import Prediction, StagePrediction
from tracer.predict.asked import Changes
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

__all__ = ["DECODE_MODES", "Changes", "predict"]

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
        raise InputError(f"{summary.trace.path}: it has no stages, so there is nothing to predict from")
    case = Case(summary, {stage.stage: Run(stage.runs, stage.busy_ns, stage.step_ns) for stage in summary.budget})
    assumptions = [assumption for change in ORDER for assumption in change.apply(case, changes)]
    predicted = [
        StagePrediction(stage=now.stage, now_ns=round(now.runs * now.step_ns), then_ns=round(then.runs * then.step_ns))
        for now in summary.budget
        for then in [case.runs[now.stage]]
    ]
    return Prediction(
        of="a request" if summary.run else "the trace",
        source="clean" if all(stage.clean for stage in summary.budget) else "trace",
        stages=predicted,
        now_ns=sum(stage.now_ns for stage in predicted),
        then_ns=sum(stage.then_ns for stage in predicted),
        assumptions=assumptions,
    )

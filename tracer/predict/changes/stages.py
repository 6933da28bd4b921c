"""`--stage`: a stage takes so many times as long, because a person says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracer.predict.asked import Changes
    from tracer.predict.runs import Case


def apply(case: Case, changes: Changes) -> list[str]:
    """Scale each stage that is named."""
    for stage, factor in changes.stages.items():
        run = case.needed(stage, f"--stage {stage}={factor:g}")
        case.runs[stage] = replace(run, busy_ns=run.busy_ns * factor, step_ns=run.step_ns * factor)
    return [
        f"--stage {stage}={factor:g}: {stage} takes {factor:g} times as long; nothing else changes"
        for stage, factor in changes.stages.items()
    ]

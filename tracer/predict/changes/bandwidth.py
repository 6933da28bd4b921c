"""`--bandwidth`: memory that is so many times as fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.errors import InputError
from tracer.document.words import listed
from tracer.predict.runs import OF_TWO

if TYPE_CHECKING:
    from tracer.predict.asked import Changes
    from tracer.predict.runs import Case


def apply(case: Case, changes: Changes) -> list[str]:
    """Divide the busy time of the stages that memory bounds."""
    factor = changes.bandwidth
    if factor is None:
        return []
    roofline = case.summary.roofline
    bound = [row.stage for row in (roofline.stages if roofline else []) if row.bound == "memory"]
    if not bound:
        why = " (see --peak-gbs)" if case.summary.drafting is None else f": {OF_TWO}"
        raise InputError(f"{case.path}: no stage of it is known to be bound by memory{why}")
    for stage in bound:
        case.runs[stage] = case.runs[stage].busy_for(case.runs[stage].busy_ns / factor)
    text = (
        f"--bandwidth {factor:g}x: {listed(bound)}, bound by memory, is busy 1/{factor:g} as long; the other "
        "stages stay"
    )
    return [text]

"""`--batch-frames`: several frames encoded in one call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracer.document.names import VISION

if TYPE_CHECKING:
    from tracer.predict.asked import Changes
    from tracer.predict.runs import Case


def apply(case: Case, changes: Changes) -> list[str]:
    """Divide the host's time for vision, down to the busy time."""
    batch = changes.batch_frames
    if batch is None:
        return []
    vision = case.needed(VISION, "--batch-frames")
    case.runs[VISION] = replace(vision, step_ns=max(vision.busy_ns, vision.step_ns / batch))
    text = (
        f"--batch-frames {batch}: the host's time for vision is divided by {batch}; the device is busy as long as now, "
        "which is too long if larger kernels run better"
    )
    return [text]

"""`--batch-frames`: several frames encoded in one call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracer.document.errors import InputError
from tracer.document.names import VISION

if TYPE_CHECKING:
    from tracer.predict.asked import Changes
    from tracer.predict.runs import Case

OPTION = "--batch-frames"


def apply(case: Case, changes: Changes) -> list[str]:
    """Divide the host's time for vision, down to the busy time."""
    batch = changes.batch_frames
    if batch is None:
        return []
    vision = case.needed(VISION, OPTION)
    frames = _frames(case)
    if frames is None:
        share = 1 / batch
        text = (
            f"vision is taken to encode {batch} frames or more one at a time, which the trace does not say; the host's "
            f"time for it is divided by {batch}"
        )
    else:
        calls = -(-frames // batch)
        share = calls / frames
        text = (
            f"{frames} frames in {calls} call{'s' * (calls > 1)}; the host's time for vision falls to {calls}/{frames}"
        )
    # What keeps the device busy for longer than a run takes, under a profiler, is no reason to take longer.
    step_ns = min(vision.step_ns, max(vision.busy_ns, vision.step_ns * share))
    case.runs[VISION] = replace(vision, step_ns=step_ns)
    if case.summary.device.kind == "gpu":
        same = "the device is busy as long as now, which is too long if larger kernels run better"
    else:
        same = "its operators take as long as now, which is too long if larger ones run better"
    return [f"{OPTION} {batch}: {text}; {same}"]


def _frames(case: Case) -> int | None:
    """Frames that are encoded one by one; None where the trace does not say.

    Raises:
        InputError: none are.
    """
    run = case.summary.run
    if run is None:
        return None
    if run["batch_frames"]:
        raise InputError(f"{case.path}: {OPTION}: its frames are encoded in one call already")
    if not run["frames"]:
        return None
    if run["frames"] == 1:
        raise InputError(f"{case.path}: {OPTION}: it has one frame, so there is nothing to encode together")
    return int(run["frames"])

"""`--launch-overhead`: the host launches faster, or slower."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracer.document.errors import InputError
from tracer.document.names import DECODE, PREFILL, VISION
from tracer.document.summary import WAITING

if TYPE_CHECKING:
    from tracer.predict.asked import Changes
    from tracer.predict.runs import Case


def apply(case: Case, changes: Changes) -> list[str]:
    """Scale the time in which the device waits.

    Raises:
        InputError: nothing tells why it does, as its clock is off.
    """
    factor = changes.launch_overhead
    if factor is None:
        return []
    doubt = next((one for one in case.summary.abstained if one.what == WAITING), None)
    if doubt is not None:
        raise InputError(f"{case.path}: --launch-overhead: {doubt.because}")
    for stage, run in case.runs.items():
        if run.busy_ns and stage in (VISION, PREFILL, DECODE):
            case.runs[stage] = replace(run, step_ns=run.step_ns - (1 - factor) * run.waiting_ns)
    if case.summary.device.kind == "gpu":
        text = "the device waits in vision, prefill and decode is launch overhead; kernels take as long as before"
    else:
        text = "no operator runs in vision, prefill and decode is overhead; operators take as long as before"
    return [f"--launch-overhead {factor:g}: all the time in which {text}"]

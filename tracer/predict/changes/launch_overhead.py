"""`--launch-overhead`: the host launches faster, or slower."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracer.document.errors import InputError
from tracer.document.names import DECODE, DRAFT, PREFILL, VERIFY, VISION
from tracer.document.summary import WAITING
from tracer.document.words import listed

if TYPE_CHECKING:
    from tracer.predict.asked import Changes
    from tracer.predict.runs import Case


LAUNCHING = (VISION, PREFILL, DECODE, DRAFT, VERIFY)


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
    launching = [stage for stage in LAUNCHING if stage in case.runs and case.runs[stage].busy_ns]
    for stage in launching:
        run = case.runs[stage]
        case.runs[stage] = replace(run, step_ns=run.step_ns - (1 - factor) * run.waiting_ns)
    stages = listed(launching) or "no stage"
    if case.summary.device.kind == "gpu":
        text = f"the device waits in {stages} is launch overhead; kernels take as long as before"
    else:
        text = f"no operator runs in {stages} is overhead; operators take as long as before"
    return [f"--launch-overhead {factor:g}: all the time in which {text}"]

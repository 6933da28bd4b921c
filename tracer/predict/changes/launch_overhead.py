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
    for stage, run in case.runs.items():
        if run.busy_ns and stage in LAUNCHING:
            case.runs[stage] = replace(run, step_ns=run.step_ns - (1 - factor) * run.waiting_ns)
    rounds = [stage for stage in (DECODE, DRAFT, VERIFY) if stage in case.runs] if VERIFY in case.runs else [DECODE]
    stages = listed([VISION, PREFILL, *rounds])
    if case.summary.device.kind == "gpu":
        text = f"the device waits in {stages} is launch overhead; kernels take as long as before"
    else:
        text = f"no operator runs in {stages} is overhead; operators take as long as before"
    return [f"--launch-overhead {factor:g}: all the time in which {text}"]

"""`--decode`: decode steps made otherwise, over a static cache, from a graph, or compiled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracer.document.errors import InputError
from tracer.document.names import DECODE
from tracer.document.words import duration
from tracer.kernels.fusible import concatenates

if TYPE_CHECKING:
    from tracer.predict.asked import Changes
    from tracer.predict.runs import Case, Run


def apply(case: Case, changes: Changes) -> list[str]:
    """Change the decode step."""
    if changes.decode is None:
        return []
    option = f"--decode {changes.decode}"
    decode = case.needed(DECODE, option)
    case.runs[DECODE], assumption = _MODES[changes.decode](case, decode)
    return [f"{option}: {assumption}"]


def _static(case: Case, decode: Run) -> tuple[Run, str]:
    mode = case.summary.run["decode"] if case.summary.run is not None else "eager"
    if mode != "eager":
        raise InputError(f"{case.path}: recorded with --decode {mode}, its cache is a static one already")
    stage = next(stage for stage in case.summary.stages if stage.stage == DECODE)
    gone_ns = sum(kernel.time_ns for kernel in stage.kernels if concatenates(kernel.name)) / stage.calls
    if not gone_ns:
        raise InputError(
            f"{case.path}: --decode static: nothing is concatenated in its decode steps (no kernel of "
            "torch.cat), so a static cache saves nothing that the trace shows"
        )
    then = decode.busy_for(max(0.0, decode.busy_ns - gone_ns))
    text = (
        f"what torch.cat copies in a step, {duration(gone_ns)}, is not copied; at most, since not only the cache is "
        "concatenated, and a static one is written to and attended to at its full length"
    )
    if then.step_ns == decode.step_ns:
        text += "; a step waits for the host, which launches as ever, so it takes as long as now"
    return then, text


def _graph(case: Case, decode: Run) -> tuple[Run, str]:
    _refuse_without_device(case, "graph")
    text = "a replayed graph leaves no gaps between the kernels of a step, which take as long as now"
    return replace(decode, step_ns=min(decode.step_ns, decode.busy_ns)), text


def _compile(case: Case, decode: Run) -> tuple[Run, str]:
    _refuse_without_device(case, "compile")
    now = case.measured(DECODE)
    if now.fused_ns is None or not now.busy_ns:
        raise InputError(f"{case.path}: --decode compile: the device did nothing in its decode steps")
    # Other changes may have altered the busy time; what fuses is taken for the same share of it.
    busy_ns = decode.busy_ns * (now.fused_ns / now.busy_ns)
    text = (
        "a replayed graph leaves no gaps; nothing is concatenated; of PyTorch's own elementwise, norm, softmax, "
        "copying and reducing kernels, those that follow one another become one, which takes as long as the longest "
        f"of them ({duration(busy_ns)} of {duration(decode.busy_ns)} are left); matrix products, attention and all "
        "else take as long as now"
    )
    return replace(decode, busy_ns=busy_ns, step_ns=min(decode.step_ns, busy_ns)), text


def _refuse_without_device(case: Case, mode: str) -> None:
    if case.summary.device.kind != "gpu":
        raise InputError(f"{case.path}: --decode {mode}: predicted from kernels, and it has no device work")


_MODES = {"static": _static, "graph": _graph, "compile": _compile}
DECODE_MODES = tuple(_MODES)

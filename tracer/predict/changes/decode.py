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


EAGER, STATIC, GRAPH, COMPILE = "eager", "static", "graph", "compile"
# Ways in which a step is one replayed graph.
REPLAYED = (GRAPH, COMPILE)


def apply(case: Case, changes: Changes) -> list[str]:
    """Change the decode step."""
    if changes.decode is None:
        return []
    option = f"--decode {changes.decode}"
    decode = case.needed(DECODE, option)
    case.runs[DECODE], assumption = _MODES[changes.decode](case, decode)
    return [f"{option}: {assumption}"]


def _static(case: Case, decode: Run) -> tuple[Run, str]:
    mode = _recorded_with(case)
    if mode != EAGER:
        raise InputError(f"{case.path}: recorded with --decode {mode}, its cache is a static one already")
    stage = next(stage for stage in case.summary.stages if stage.stage == DECODE)
    if stage.kernels is None:
        raise InputError(f"{case.path}: --decode static: what its decode steps copy is unknown{case.because}")
    gone_ns = sum(kernel.time_ns for kernel in stage.kernels if concatenates(kernel.name)) / stage.runs
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
    _refuse_without_device(case, GRAPH)
    mode, replays = _recorded_with(case), _replays_a_step(case)
    if mode in REPLAYED:
        raise InputError(f"{case.path}: --decode graph: recorded with --decode {mode}, its steps are replayed already")
    if replays >= 1:
        raise InputError(
            f"{case.path}: --decode graph: its decode steps replay graphs already, {replays:.3g} a step, and what one "
            "graph of a whole step would gain beyond them it does not say"
        )
    text = "a replayed graph leaves no gaps between the kernels of a step, which take as long as now"
    return replace(decode, step_ns=min(decode.step_ns, decode.busy_ns)), text


def _compile(case: Case, decode: Run) -> tuple[Run, str]:
    _refuse_without_device(case, COMPILE)
    mode = _recorded_with(case)
    if mode == COMPILE:
        raise InputError(
            f"{case.path}: --decode compile: recorded with --decode {mode}, its steps are compiled already"
        )
    now = case.measured(DECODE)
    if now.fused_ns is None or not now.busy_ns:
        raise InputError(f"{case.path}: --decode compile: the device did nothing in its decode steps")
    # Other changes may have altered the busy time; what fuses is taken for the same share of it.
    busy_ns = decode.busy_ns * (now.fused_ns / now.busy_ns)
    if mode in REPLAYED or _replays_a_step(case) >= 1:
        then, gaps = decode.busy_for(busy_ns), "its steps are replayed graphs already, so their gaps stay"
    else:
        then = replace(decode, busy_ns=busy_ns, step_ns=min(decode.step_ns, busy_ns))
        gaps = "a replayed graph leaves no gaps"
    text = (
        f"{gaps}; nothing is concatenated; of PyTorch's own elementwise, norm, softmax, "
        "copying and reducing kernels, those that follow one another become one, which takes as long as the longest "
        f"of them ({duration(busy_ns)} of {duration(decode.busy_ns)} are left); matrix products, attention and all "
        "else take as long as now"
    )
    return then, text


def _recorded_with(case: Case) -> str:
    """How our recording made its steps; those of others count as plain."""
    return str(case.summary.run["decode"]) if case.summary.run is not None else EAGER


def _replays_a_step(case: Case) -> float:
    """Graphs that a step replays, whoever recorded it."""
    return sum(stage.counts.graphs / stage.runs for stage in case.summary.stages if stage.stage == DECODE)


def _refuse_without_device(case: Case, mode: str) -> None:
    if case.summary.device.kind != "gpu":
        raise InputError(f"{case.path}: --decode {mode}: predicted from kernels, and it has no device work")


_MODES = {STATIC: _static, GRAPH: _graph, COMPILE: _compile}
DECODE_MODES = tuple(_MODES)

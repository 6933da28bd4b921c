"""What a request would take if something were different: simple models over what was measured, assumptions spelled out.

A stage's run takes `step_ns`, of which the device is busy for `busy_ns`. Where it waits for more than half, the host is
the limit, and less work on the device gains nothing; elsewhere a change of the busy time is a change of the step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracer.document.errors import InputError, UsageError
from tracer.document.names import DECODE, PREFILL, VISION
from tracer.document.summary import Prediction, StagePrediction
from tracer.document.words import duration
from tracer.kernels.fusible import concatenates

if TYPE_CHECKING:
    from tracer.document.summary import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is different; None leaves it as it is.

    Attributes:
        stages: factor of a stage's time, by stage.
        launch_overhead: factor of the time in which the device waits.
        batch_frames: frames encoded in one call.
        decode: how decode steps are made, one of `DECODE_MODES`.
        visual_tokens: share of the visual tokens that stays.
        bandwidth: factor of the memory bandwidth.
        speculate: drafted tokens a step, and the probability that one is accepted.
    """

    stages: dict[str, float]
    launch_overhead: float | None = None
    batch_frames: int | None = None
    decode: str | None = None
    visual_tokens: float | None = None
    bandwidth: float | None = None
    speculate: tuple[int, float] | None = None


@dataclass(frozen=True, slots=True)
class _Run:
    """A stage while it is changed."""

    runs: float
    busy_ns: float
    step_ns: float

    @property
    def waits(self) -> bool:
        return self.busy_ns < self.step_ns / 2

    def busy_for(self, busy_ns: float) -> _Run:
        """The same with another busy time."""
        if self.waits:
            step_ns = max(self.step_ns, busy_ns)
        elif self.busy_ns > self.step_ns:  # the profiler made it busy for longer than a run takes without it
            step_ns = self.step_ns * busy_ns / self.busy_ns
        else:
            step_ns = self.step_ns + busy_ns - self.busy_ns
        return replace(self, busy_ns=busy_ns, step_ns=step_ns)


def predict(summary: Summary, changes: Changes) -> Prediction:
    """Predict stage and request times.

    Raises:
        InputError: the trace does not say what a change needs.
        UsageError: a stage that does not occur.
    """
    if not summary.budget:
        raise InputError(f"{summary.trace.path}: it has no stages, so there is nothing to predict from")
    runs = {stage.stage: _Run(stage.runs, stage.busy_ns, stage.step_ns) for stage in summary.budget}
    assumptions: list[str] = []
    for apply in (_batch_frames, _visual_tokens, _bandwidth, _decode, _launch_overhead, _speculate, _stages):
        apply(summary, changes, runs, assumptions)
    stages = [
        StagePrediction(stage=now.stage, now_ns=round(now.runs * now.step_ns), then_ns=round(then.runs * then.step_ns))
        for now in summary.budget
        for then in [runs[now.stage]]
    ]
    return Prediction(
        of="a request" if summary.run else "the trace",
        source="clean" if all(stage.clean for stage in summary.budget) else "trace",
        stages=stages,
        now_ns=sum(stage.now_ns for stage in stages),
        then_ns=sum(stage.then_ns for stage in stages),
        assumptions=assumptions,
    )


def _batch_frames(summary: Summary, changes: Changes, runs: dict[str, _Run], assumptions: list[str]) -> None:
    if changes.batch_frames is None:
        return
    vision = _needed(summary, runs, VISION, "--batch-frames")
    batch = changes.batch_frames
    runs[VISION] = replace(vision, step_ns=max(vision.busy_ns, vision.step_ns / batch))
    assumptions.append(
        f"--batch-frames {batch}: the host's time for vision is divided by {batch}; the device is busy as long as now, "
        "which is too long if larger kernels run better"
    )


def _visual_tokens(summary: Summary, changes: Changes, runs: dict[str, _Run], assumptions: list[str]) -> None:
    if changes.visual_tokens is None:
        return
    token = summary.roofline.visual_token if summary.roofline else None
    if token is None:
        raise InputError(f"{summary.trace.path}: its recording does not say what a visual token costs")
    gone = 1 - changes.visual_tokens
    prefill = _needed(summary, runs, PREFILL, "--visual-tokens")
    runs[PREFILL] = prefill.busy_for(prefill.busy_ns * (1 - gone * token.prefill_share))
    text = (
        f"--visual-tokens {changes.visual_tokens:g}: prefill's busy time falls with its operations, "
        f"{token.prefill_share:.0%} of which are for visual tokens; vision runs as before"
    )
    if DECODE in runs and token.decode_ns is not None:
        decode = runs[DECODE]
        runs[DECODE] = decode.busy_for(max(0.0, decode.busy_ns - gone * token.count * token.decode_ns))
        text += "; decode steps read that much less cache, at peak bandwidth"
    assumptions.append(text)


def _bandwidth(summary: Summary, changes: Changes, runs: dict[str, _Run], assumptions: list[str]) -> None:
    if changes.bandwidth is None:
        return
    bound = [row.stage for row in (summary.roofline.stages if summary.roofline else []) if row.bound == "memory"]
    if not bound:
        raise InputError(f"{summary.trace.path}: no stage of it is known to be bound by memory (see --peak-gbs)")
    for stage in bound:
        runs[stage] = runs[stage].busy_for(runs[stage].busy_ns / changes.bandwidth)
    assumptions.append(
        f"--bandwidth {changes.bandwidth:g}x: {' and '.join(bound)}, bound by memory, is busy "
        f"1/{changes.bandwidth:g} as long; the other stages stay"
    )


def _decode(summary: Summary, changes: Changes, runs: dict[str, _Run], assumptions: list[str]) -> None:
    if changes.decode is None:
        return
    option = f"--decode {changes.decode}"
    decode = _needed(summary, runs, DECODE, option)
    runs[DECODE], assumption = _DECODE[changes.decode](summary, decode)
    assumptions.append(f"{option}: {assumption}")


def _static(summary: Summary, decode: _Run) -> tuple[_Run, str]:
    mode = summary.run["decode"] if summary.run is not None else "eager"
    if mode != "eager":
        raise InputError(f"{summary.trace.path}: recorded with --decode {mode}, its cache is a static one already")
    stage = next(stage for stage in summary.stages if stage.stage == DECODE)
    gone_ns = sum(kernel.time_ns for kernel in stage.kernels if concatenates(kernel.name)) / stage.calls
    if not gone_ns:
        raise InputError(
            f"{summary.trace.path}: --decode static: nothing is concatenated in its decode steps (no kernel of "
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


def _graph(summary: Summary, decode: _Run) -> tuple[_Run, str]:
    _refuse_without_device(summary, "graph")
    text = "a replayed graph leaves no gaps between the kernels of a step, which take as long as now"
    return replace(decode, step_ns=min(decode.step_ns, decode.busy_ns)), text


def _compile(summary: Summary, decode: _Run) -> tuple[_Run, str]:
    _refuse_without_device(summary, "compile")
    now = next(stage for stage in summary.budget if stage.stage == DECODE)
    if now.fused_ns is None or not now.busy_ns:
        raise InputError(f"{summary.trace.path}: --decode compile: the device did nothing in its decode steps")
    left = now.fused_ns / now.busy_ns
    # Other changes may have altered the busy time; what fuses is taken for the same share of it.
    busy_ns = decode.busy_ns * left
    text = (
        "a replayed graph leaves no gaps; nothing is concatenated; of PyTorch's own elementwise, norm, softmax, "
        "copying and reducing kernels, those that follow one another become one, which takes as long as the longest "
        f"of them ({duration(busy_ns)} of {duration(decode.busy_ns)} are left); matrix products, attention and all "
        "else take as long as now"
    )
    return replace(decode, busy_ns=busy_ns, step_ns=min(decode.step_ns, busy_ns)), text


def _refuse_without_device(summary: Summary, mode: str) -> None:
    if summary.device.kind != "gpu":
        raise InputError(f"{summary.trace.path}: --decode {mode}: predicted from kernels, and it has no device work")


_DECODE = {"static": _static, "graph": _graph, "compile": _compile}
DECODE_MODES = tuple(_DECODE)


def _launch_overhead(_: Summary, changes: Changes, runs: dict[str, _Run], assumptions: list[str]) -> None:
    if changes.launch_overhead is None:
        return
    for stage, run in runs.items():
        if run.busy_ns and stage in (VISION, PREFILL, DECODE):
            waiting_ns = max(0.0, run.step_ns - run.busy_ns)
            runs[stage] = replace(run, step_ns=run.busy_ns + changes.launch_overhead * waiting_ns)
    assumptions.append(
        f"--launch-overhead {changes.launch_overhead:g}: all the time in which the device waits in vision, prefill and "
        "decode is launch overhead; kernels take as long as before"
    )


def _speculate(summary: Summary, changes: Changes, runs: dict[str, _Run], assumptions: list[str]) -> None:
    if changes.speculate is None:
        return
    drafted, accepted = changes.speculate
    decode = _needed(summary, runs, DECODE, "--speculate")
    # Leviathan, Kalman and Matias, arXiv:2211.17192, equation 1.
    tokens = drafted + 1.0 if accepted == 1 else (1 - accepted ** (drafted + 1)) / (1 - accepted)
    runs[DECODE] = replace(decode, runs=decode.runs / tokens)
    assumptions.append(
        f"--speculate {drafted}@{accepted:g}: {tokens:.2f} tokens a step; checking {drafted + 1} tokens takes as long "
        "as making one, and drafting takes nothing"
    )


def _stages(summary: Summary, changes: Changes, runs: dict[str, _Run], assumptions: list[str]) -> None:
    for stage, factor in changes.stages.items():
        run = _needed(summary, runs, stage, f"--stage {stage}={factor:g}")
        runs[stage] = replace(run, busy_ns=run.busy_ns * factor, step_ns=run.step_ns * factor)
        assumptions.append(f"--stage {stage}={factor:g}: {stage} takes {factor:g} times as long; nothing else changes")


def _needed(summary: Summary, runs: dict[str, _Run], stage: str, option: str) -> _Run:
    if stage not in runs:
        raise UsageError(f"{option}: {summary.trace.path} has no stage {stage}; it has {', '.join(runs)}")
    return runs[stage]

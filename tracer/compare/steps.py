"""Decode step k of one run beside decode step k of another, and the steps of one inside the prefill of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.compare.figures import figures
from tracer.document.comparison import Overlap, Steps
from tracer.document.names import PREFILL, TPOT
from tracer.statistics.robust import MAD_TO_SIGMA, median

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.arrays import F64
    from tracer.document.summary import Summary

DEVICE, LATENCY = "device", "latency"
# A single step may be anything; so many in a row, all the same way, are a parting.
IN_A_ROW = 3
DEVIATIONS = 3.0


def compare_steps(before: Summary, after: Summary, tolerance: float, *, allowed: bool = True) -> list[Steps]:
    """Steps by device time and by latency, as far as both runs have them; `tolerance` is a share.

    Only of runs whose steps yield alike: a round of speculative decoding beside a step of one token compares nothing.
    Where the host's time drifts from recording to recording, steps part only if somebody has `allowed` for that.
    """
    on_device = before.device.kind == after.device.kind == "gpu"
    found = [
        _compare(DEVICE, _device_steps(before), _device_steps(after), tolerance, judged=allowed or on_device)
        if before.trace.steps == after.trace.steps
        else None,
        _compare(LATENCY, _latency_steps(before), _latency_steps(after), tolerance, judged=allowed)
        if _yields(before) == _yields(after)
        else None,
    ]
    return [one for one in found if one is not None]


def _yields(summary: Summary) -> set[tuple[int, ...]]:
    """How many tokens the steps of each request yield, where any yields another number than one."""
    return {tuple(one.step_tokens) for one in summary.requests if set(one.step_tokens) - {1}}


def _device_steps(summary: Summary) -> dict[int, float]:
    steps: dict[int, list[float]] = {}
    if summary.device.kind == "gpu" or any(token.ops for token in summary.tokens):
        for token in summary.tokens:
            if token.index > 0 and token.device_time_ns is not None:
                steps.setdefault(token.index, []).append(token.device_time_ns)
    return _medians(steps)


def _latency_steps(summary: Summary) -> dict[int, float]:
    steps: dict[int, list[float]] = {}
    for request in summary.requests:
        for number, step_ns in enumerate(request.decode_ns, start=request.first_step):
            steps.setdefault(number, []).append(step_ns)
    return _medians(steps)


def _medians(steps: Mapping[int, list[float]]) -> dict[int, float]:
    return {number: float(median(np.array(times))) for number, times in steps.items()}


def _compare(
    of: str, before: Mapping[int, float], after: Mapping[int, float], tolerance: float, *, judged: bool
) -> Steps | None:
    shared = sorted(set(before) & set(after))
    if not shared:
        return None
    first = np.array([before[step] for step in shared])
    second = np.array([after[step] for step in shared])
    ratios = np.maximum(second, 1) / np.maximum(first, 1)
    noise = (_step_noise(first) ** 2 + _step_noise(second) ** 2) ** 0.5
    beyond = max(tolerance, DEVIATIONS * noise)
    return Steps(
        of=of,
        first=shared[0],
        before_ns=first.tolist(),
        after_ns=second.tolist(),
        delta_ns=float(median(second - first)),
        ratio=float(median(ratios)),
        parts_at=_parting(shared, ratios, beyond) if judged else None,
        beyond=beyond,
        judged=judged,
    )


def _step_noise(steps: F64) -> float:
    """Standard deviation of a step's time, as a share, from the differences of neighbours.

    Neighbours hardly differ in length of cache, so growth is not taken for noise (J. von Neumann et al., "The mean
    square successive difference", Annals of Mathematical Statistics 12 (1941), 153-162; the median in place of the
    mean lets a few wild steps pass).
    """
    if len(steps) < 2:
        return 0.0
    logs = np.log(np.maximum(steps, 1))
    return float(MAD_TO_SIGMA * median(np.abs(np.diff(logs))) / 2**0.5)


def _parting(shared: list[int], ratios: F64, beyond: float) -> int | None:
    """The first of `IN_A_ROW` steps that are all slower, or all faster, by more than `beyond`."""
    apart = np.log(ratios)
    limit = np.log1p(beyond)
    for start in range(len(shared) - IN_A_ROW + 1):
        few = apart[start : start + IN_A_ROW]
        if few.min() > limit or few.max() < -limit:
            return shared[start]
    return None


def overlaps(before: Summary, after: Summary, labels: tuple[str, str], source: str) -> list[Overlap]:
    """How many decode steps of each run fit into one prefill of the other; figures of the same `source`.

    Where a step yields several tokens, what one takes is not what a token takes.
    """
    taken = [figures(summary, source) for summary in (before, after)]
    found = []
    for one, other in ((0, 1), (1, 0)):
        prefill_ns, step_ns = taken[one].get(PREFILL), taken[other].get(TPOT)
        if prefill_ns and step_ns and not _yields((before, after)[other]):
            found.append(
                Overlap(
                    prefill_of=labels[one],
                    steps_of=labels[other],
                    prefill_ns=prefill_ns,
                    step_ns=step_ns,
                    steps=int(prefill_ns // step_ns),
                )
            )
    return found

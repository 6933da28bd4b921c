"""Which kernels came, went, and changed their time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.comparison import KernelChange, KernelUse
from tracer.document.summary import Lost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.document.summary import Kernel, Stage, Summary

# Of the breakdown of a summary.
BY_KERNEL = "kernel"
WHOLE_TRACE = ""


def compare_kernels(before: Summary, after: Summary, tolerance: float) -> tuple[list[KernelChange], int]:
    """Kernels whose time in one run of a stage differs by more than `tolerance`, and how many others there are.

    A run of decode is one step, so that answers of different lengths compare. Only stages that both traces have; where
    one of them has none, whole traces, as far as they were broken down by kernel. The largest difference first.
    Stages, and traces without stages, that lack device ops are not compared: nobody knows which kernels they had.
    """
    taken = [_by_stage(summary) for summary in (before, after)]
    if not (before.stages and after.stages):
        taken = [_whole(summary) for summary in (before, after)]
    changes, same = [], 0
    for stage in taken[0]:
        if stage not in taken[1]:
            continue
        for change in _changes(stage, taken[0][stage], taken[1][stage], tolerance):
            if change is None:
                same += 1
            else:
                changes.append(change)
    changes.sort(key=lambda change: (-abs(change.delta_ns), change.stage, change.name))
    return changes, same


def _changes(
    stage: str, first: dict[str, KernelUse], second: dict[str, KernelUse], tolerance: float
) -> Iterator[KernelChange | None]:
    for name in first | second:
        one, other = first.get(name), second.get(name)
        delta_ns = (other.time_ns if other else 0.0) - (one.time_ns if one else 0.0)
        if one is None or other is None:
            change = "appeared" if one is None else "vanished"
        elif abs(delta_ns) <= tolerance * one.time_ns:
            yield None
            continue
        else:
            change = "slower" if delta_ns > 0 else "faster"
        yield KernelChange(stage=stage, name=name, change=change, before=one, after=other, delta_ns=delta_ns)


def _by_stage(summary: Summary) -> dict[str, dict[str, KernelUse]]:
    """Each kernel in one run of its stage."""
    return {stage.stage: _uses(stage, stage.kernels) for stage in summary.stages if stage.kernels is not None}


def _uses(stage: Stage, kernels: list[Kernel]) -> dict[str, KernelUse]:
    runs = max(1, stage.runs)
    return {kernel.name: KernelUse(count=kernel.count / runs, time_ns=kernel.time_ns / runs) for kernel in kernels}


def _whole(summary: Summary) -> dict[str, dict[str, KernelUse]]:
    """Each kernel in the whole trace, as a stage without a name."""
    if summary.breakdown is None or summary.breakdown.by != BY_KERNEL or isinstance(summary.lost, Lost):
        return {}
    found: dict[str, KernelUse] = {}
    for row in summary.breakdown.rows:
        other = found.get(row.name, KernelUse(count=0, time_ns=0))
        found[row.name] = KernelUse(count=other.count + row.ops, time_ns=other.time_ns + row.device_time_ns)
    return {WHOLE_TRACE: found}

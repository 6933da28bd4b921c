"""Which kernels came, went, and changed their time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.comparison import KernelChange, KernelUse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.document.summary import Stage, Summary


def compare_kernels(before: Summary, after: Summary, tolerance: float) -> tuple[list[KernelChange], int]:
    """Kernels whose time in one run of a stage differs by more than `tolerance`, and how many others there are.

    A run of decode is one step, so that answers of different lengths compare. Only stages that both traces have;
    the largest difference first.
    """
    others = {stage.stage: stage for stage in after.stages}
    changes, same = [], 0
    for stage in before.stages:
        if stage.stage not in others:
            continue
        for change in _changes(stage, others[stage.stage], tolerance):
            if change is None:
                same += 1
            else:
                changes.append(change)
    changes.sort(key=lambda change: (-abs(change.delta_ns), change.stage, change.name))
    return changes, same


def _changes(before: Stage, after: Stage, tolerance: float) -> Iterator[KernelChange | None]:
    first, second = _uses(before), _uses(after)
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
        yield KernelChange(stage=before.stage, name=name, change=change, before=one, after=other, delta_ns=delta_ns)


def _uses(stage: Stage) -> dict[str, KernelUse]:
    runs = max(1, stage.calls)
    return {
        kernel.name: KernelUse(count=kernel.count / runs, time_ns=kernel.time_ns / runs) for kernel in stage.kernels
    }

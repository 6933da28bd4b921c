"""Which kernels came, went, and changed their time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tracer.compare.totals import share_stages
from tracer.compare.verdicts import FASTER, SLOWER, UNTESTED
from tracer.document.comparison import KernelChange, KernelUse
from tracer.document.summary import Lost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.document.summary import Kernel, LaunchedAs, Stage, Summary

# Of the breakdown of a summary.
BY_KERNEL = "kernel"
WHOLE_TRACE = ""
MORE, LESS = "more often", "less often"
# What a person chooses of a launch, or a compiler: not occupancy, which follows from it.
LAUNCH = {"grid": "grid", "block": "block", "registers": "registers", "shared memory": "shared_bytes"}


def compare_kernels(
    before: Summary, after: Summary, tolerance: float, *, allowed: bool = True
) -> tuple[list[KernelChange], int]:
    """Kernels whose time in one run of a stage differs by more than `tolerance`, and how many others there are.

    A run of decode is one step, so that answers of different lengths compare. Only stages that both traces have; where
    they have none in common, whole traces, as far as their kernels are known: these hold as much as each happened
    to record, so that a kernel is slower where a call of it is, and else ran more often or less. The largest
    difference first.
    Stages, and traces without stages, that lack device ops are not compared: nobody knows which kernels they had. Nor
    are kernels with operators of a CPU. What these take is the host's time, which drifts from recording to recording:
    one is slower only where somebody has `allowed` for that by the tolerance.
    """
    if before.device.kind != after.device.kind:
        return [], 0
    known = _by_stage if share_stages(before, after) else whole_kernels
    taken = [known(summary) for summary in (before, after)]
    claims = allowed or before.device.kind == "gpu"
    launched = [_launched(summary) for summary in (before, after)]
    changes, same = [], 0
    for stage in taken[0]:
        if stage not in taken[1]:
            continue
        for change in _changes(stage, taken[0][stage], taken[1][stage], tolerance):
            if change is None:
                same += 1
            else:
                key = stage, change.name
                relaunched = _relaunched(launched[0].get(key), launched[1].get(key))
                said = change.change if claims or change.change not in (SLOWER, FASTER) else UNTESTED
                changes.append(msgspec.structs.replace(change, change=said, relaunched=relaunched))
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
        elif not (changed := _changed(one, other, tolerance, whole=stage == WHOLE_TRACE)):
            yield None
            continue
        else:
            change = changed
        yield KernelChange(stage=stage, name=name, change=change, before=one, after=other, delta_ns=delta_ns)


def _changed(before: KernelUse, after: KernelUse, tolerance: float, *, whole: bool) -> str:
    """How a kernel that both have differs; "" where it does not."""
    first_ns, second_ns = before.time_ns, after.time_ns
    if whole:
        first_ns, second_ns = first_ns / max(before.count, 1), second_ns / max(after.count, 1)
    if abs(second_ns - first_ns) > tolerance * first_ns:
        return SLOWER if second_ns > first_ns else FASTER
    if whole and before.count != after.count:
        return MORE if after.count > before.count else LESS
    return ""


def _launched(summary: Summary) -> dict[tuple[str, str], LaunchedAs]:
    """How each kernel was launched in each stage, and in the whole trace: the way that took the most time."""
    found: dict[tuple[str, str], LaunchedAs] = {}
    if summary.breakdown is None or summary.breakdown.by != BY_KERNEL:
        return found
    for row in summary.breakdown.rows:
        for stage in {row.stage, WHOLE_TRACE}:
            ways = [*row.launches[:1], *filter(None, [found.get((stage, row.name))])]
            if ways:
                found[stage, row.name] = max(ways, key=lambda way: way.time_ns)
    return found


def _relaunched(before: LaunchedAs | None, after: LaunchedAs | None) -> list[str]:
    """What of a launch is another; of what either side does not say nothing is."""
    if before is None or after is None:
        return []
    found = []
    for name, field in LAUNCH.items():
        one, other = getattr(before, field), getattr(after, field)
        if one is not None and other is not None and one != other:
            found.append(f"{name} {_text(one)} -> {_text(other)}")
    return found


def _text(value: int | tuple[int, int, int]) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _by_stage(summary: Summary) -> dict[str, dict[str, KernelUse]]:
    """Each kernel in one run of its stage."""
    return {stage.stage: _uses(stage, stage.kernels) for stage in summary.stages if stage.kernels is not None}


def _uses(stage: Stage, kernels: list[Kernel]) -> dict[str, KernelUse]:
    runs = max(1, stage.runs)
    return {kernel.name: KernelUse(count=kernel.count / runs, time_ns=kernel.time_ns / runs) for kernel in kernels}


def whole_kernels(summary: Summary) -> dict[str, dict[str, KernelUse]]:
    """Each kernel in the whole trace, as a stage without a name; nothing where they are not known."""
    if isinstance(summary.lost, Lost):
        return {}
    found: dict[str, KernelUse] = {}
    if summary.breakdown is None or summary.breakdown.by != BY_KERNEL:
        found = {one.name: KernelUse(count=one.count, time_ns=one.time_ns) for one in summary.device.kernels}
        return {WHOLE_TRACE: found} if found else {}
    for row in summary.breakdown.rows:
        other = found.get(row.name, KernelUse(count=0, time_ns=0))
        found[row.name] = KernelUse(count=other.count + row.ops, time_ns=other.time_ns + row.device_time_ns)
    return {WHOLE_TRACE: found}

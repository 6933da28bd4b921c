"""Memory of devices: by stage, where it was highest, and the largest allocations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Element, Line, Row, Table, block, line, note
from reports.palette import NONE
from reports.units import byte_count, counted
from tracer.document.summary import Memory, StageMemory

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import DeviceMemory, Summary

TOP = 6


def part(summary: Summary, asked: Asked) -> Block | None:
    """A line a device, a row a stage, and the largest allocations."""
    found = summary.memory
    if not isinstance(found, Memory):
        return None
    several = len(found.devices) > 1
    lines = [_device(one, several=several, staged=bool(summary.stages)) for one in found.devices]
    return block(
        "memory of the device",
        *lines,
        *_stages(summary, asked),
        *_allocations(found, asked, staged=bool(summary.stages)),
    )


def _device(found: DeviceMemory, *, several: bool, staged: bool) -> Line:
    where = f", in {found.peak_stage}" if found.peak_stage else ", outside all stages" if staged else ""
    where += f" step {found.peak_token}" if found.peak_token is not None else ""
    reserved = f" · {byte_count(found.reserved_bytes)} reserved at most" if found.reserved_bytes is not None else ""
    said = f"at most {byte_count(found.peak_bytes)} allocated{where}"
    said += f" · {byte_count(found.start_bytes)} before the recording{reserved}"
    return line(f"device {found.device}: {said}" if several else said)


def _stages(summary: Summary, asked: Asked) -> list[Element]:
    rows = [
        Row(
            [
                stage.stage,
                byte_count(stage.memory.start_bytes),
                byte_count(stage.memory.peak_bytes),
                byte_count(stage.memory.end_bytes),
                byte_count(stage.memory.peak_bytes - stage.memory.start_bytes),
            ]
        )
        for stage in summary.stages
        if isinstance(stage.memory, StageMemory) and stage.memory.source == "trace" and asked.shows(stage.stage)
    ]
    if not rows:
        return []
    columns = [Column("stage", right=False), *map(Column, ("before", "peak", "after", "needs"))]
    says = note(
        "before, after: allocated before its first range and at the end of its last. needs: what its peak is above "
        "before.",
        _unrecorded(summary),
    )
    return [Table(columns, rows), says]


def _unrecorded(summary: Summary) -> str:
    found = summary.memory
    changed = sum(device.unrecorded for device in found.devices) if isinstance(found, Memory) else 0
    if not changed:
        return ""
    times = counted(changed, "time", "times")
    return f"The total changed {times} by what was not recorded (another thread's): peaks may be higher."


def _allocations(found: Memory, asked: Asked, *, staged: bool) -> list[Element]:
    top = asked.top or TOP
    shown = [one for one in found.allocations if asked.shows(one.stage)]
    if not shown:
        return []
    modules = any(one.module for one in shown)
    columns = [
        Column("largest"),
        Column("count", rank=1),
        Column("at peak", rank=2),
        *([Column("stage", right=False)] if staged else []),
        Column("operator", right=False, named=True),
        *([Column("module", right=False, named=True, rank=3)] if modules else []),
    ]
    rows = [
        Row(
            [
                byte_count(one.size_bytes),
                f"{one.count:,}",
                f"{one.at_peak:,}" if one.at_peak else NONE,
                *([one.stage or "no stage"] if staged else []),
                one.operator or NONE,
                *([one.module or NONE] if modules else []),
            ]
        )
        for one in shown[:top]
    ]
    more = len(shown) - top
    says = note(
        "at peak: how many of them were held when the most was allocated.",
        f"{counted(more, 'more row')}: --top {len(shown)}." if more > 0 else "",
    )
    return [Table(columns, rows), says]

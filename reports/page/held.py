"""Memory and energy by stage, as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from reports.page.bars import bar_chart, bar_rect, bar_row, interval_whisker
from reports.page.over_time import memory_over_time
from reports.parts.energy import bounds, joules
from reports.render.html import stage_class
from reports.units import byte_count, significant
from tracer.document.summary import Energy, Footprint, StageMemory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.page.shown import Shown
    from tracer.document.summary import StageEnergy, Summary

MEMORY_NOTE = (
    "What is allocated on the device: grey, what was there before the stage; coloured, what its peak is above that. By "
    "the recorded allocations where there are some, else by the allocator's counters in the pass without a profiler."
)
ENERGY_NOTE = "Of one request; the whisker says between what bounds each energy lies."


def has_memory_or_energy(summary: Summary) -> bool:
    """Whether either was recorded."""
    return not all(found is UNSET for found in (summary.memory, summary.footprint, summary.energy))


def memory_and_energy(file: Shown) -> str:
    """All charts, of what there is."""
    return memory_over_time(file) + _memory(file.summary) + _energy(file.summary)


def _memory(summary: Summary) -> str:
    rows = list(_held(summary))
    if not rows:
        return ""
    found = summary.footprint
    size = found.device_bytes if isinstance(found, Footprint) else None
    whole = size or max(peak for _, _, peak in rows)
    drawn = []
    for stage, start, peak in rows:
        before = bar_rect(0, start, whole, "cause-unknown", f"before: {byte_count(start)}")
        more = byte_count(peak - start)
        needs = bar_rect(start, peak - start, whole, f"fill {stage_class(stage) or 'stage-busy'}", more)
        said = f"{byte_count(start)} before, {more} more"
        drawn.append(bar_row(stage, stage_class(stage), before + needs, byte_count(peak), said))
    heading = f"Memory by stage, of the device's {byte_count(size)}" if size else "Memory by stage"
    return bar_chart(heading, drawn, "", MEMORY_NOTE)


def _held(summary: Summary) -> Iterator[tuple[str, int, int]]:
    """Stage, bytes before it, and its peak."""
    for stage in summary.stages:
        if isinstance(stage.memory, StageMemory) and stage.memory.peak_bytes > 0:
            yield stage.stage, stage.memory.start_bytes, stage.memory.peak_bytes


def _energy(summary: Summary) -> str:
    found = summary.energy
    known = [one for one in found.stages if one.joules is not None] if isinstance(found, Energy) else []
    if not known:
        return ""
    most = max(one.interval[1] if one.interval else 0.0 for one in known)
    return bar_chart("Energy by stage", [_energy_row(one, most) for one in known], "", ENERGY_NOTE) if most else ""


def _energy_row(one: StageEnergy, most: float) -> str:
    kind = stage_class(one.stage)
    low, high = one.interval or (0.0, 0.0)
    drawn = bar_rect(0, one.joules or 0, most, f"fill {kind or 'request'}") + interval_whisker(low, high, most)
    power = "" if one.watts is None else f" · {significant(one.watts)} W"
    return bar_row(one.stage, kind, drawn, joules(one.joules or 0), f"{bounds(one)}{power}")

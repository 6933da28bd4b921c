"""Each stage, as in the summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.document.summary import Joules, StageMemory
from tracer.tables.documented import COUNTED, HELD, IDLE, LOST, column, counted, held, idle, lost
from tracer.tables.table import FLOAT, TEXT, Column, Table

if TYPE_CHECKING:
    from tracer.document.summary import Summary
    from tracer.summarize import Charged


def _rows(_: Charged, summary: Summary) -> dict[str, Any]:
    stages, latency = summary.stages, summary.latency
    statistics = {one.of: one for one in latency.statistics} if latency else {}
    found = [statistics.get(stage.stage) for stage in stages]
    energies = [stage.energy if isinstance(stage.energy, Joules) else None for stage in stages]
    return {
        **{name: column(stages, name) for name in _PLAIN},
        **idle(stages),
        **counted(stages),
        **held(stages),
        "memory_source": [stage.memory.source if isinstance(stage.memory, StageMemory) else None for stage in stages],
        "energy_joules": [used and used.joules for used in energies],
        "energy_low_joules": [used and used.interval[0] for used in energies],
        "energy_high_joules": [used and used.interval[1] for used in energies],
        "clean_p50_ns": [one and one.p50_ns for one in found],
        "clean_low_ns": [one and one.low_ns for one in found],
        "clean_high_ns": [one and one.high_ns for one in found],
        **lost(stages),
    }


_PLAIN = ("stage", "calls", "ops", "device_time_ns", "busy_ns", "idle_ns", "span_ns", "cpu_ns", "wall_ns")
TABLE = Table(
    meaning="a stage, all its calls in the trace together",
    key=("stage",),
    columns=(
        Column("stage", "its name", TEXT),
        Column("calls", "ranges of it; decode has one a step"),
        Column("ops", "device ops launched inside"),
        Column("device_time_ns", "their durations added up"),
        Column("busy_ns", "its share of the time in which anything ran"),
        Column("idle_ns", "gaps that its ops ended"),
        *IDLE,
        Column("span_ns", "first op's start to last op's end, per request, added up"),
        Column("cpu_ns", "the ranges themselves, on the host"),
        Column("wall_ns", "what its calls took, time that passed"),
        *COUNTED,
        *HELD,
        Column("memory_source", "trace: each allocation was recorded; clean: the allocator's counters said it", TEXT),
        Column("energy_joules", "of its device, in one request", FLOAT),
        Column("energy_low_joules", "lower bound of it", FLOAT),
        Column("energy_high_joules", "upper bound of it", FLOAT),
        Column("clean_p50_ns", "median latency of requests without a profiler", FLOAT),
        Column("clean_low_ns", "lower end of that median's interval", FLOAT),
        Column("clean_high_ns", "upper end of it", FLOAT),
        LOST,
    ),
    rows=_rows,
)

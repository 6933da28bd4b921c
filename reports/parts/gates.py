"""Budgets and limits, kept or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block, note
from reports.palette import NONE
from reports.parts.energy import joules
from reports.units import duration, percent

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.comparison import Comparison, Gate
    from tracer.document.summary import Summary


def part(_: Summary | Comparison, asked: Asked) -> Block | None:
    """A row a gate."""
    if not asked.gates:
        return None
    columns = [
        Column("", right=False),
        Column("gate", right=False),
        Column("of", right=False),
        Column("found"),
        Column("file", right=False, named=True),
    ]
    rows = [
        Row(
            [_state(gate), gate.gate, gate.of or NONE, measured(gate), gate.path],
            "" if gate.passed else "bad",
        )
        for gate in asked.gates
    ]
    unsure = [f"{gate.path}: {gate.reason}; {gate.next_step}." for gate in asked.gates if gate.passed and gate.reason]
    unjudged = [f"{sentence(gate)}." for gate in asked.gates if gate.value is None]
    return block("gates", Table(columns, rows), note(*unjudged, *unsure) if unjudged or unsure else None)


def _state(gate: Gate) -> str:
    return "kept" if gate.passed else "cannot be judged" if gate.value is None else "FAILED"


def measured(gate: Gate) -> str:
    """What a gate found, in its unit."""
    if gate.value is None:
        return NONE
    if gate.kind == "regression":
        return percent(gate.value)
    return _shown(gate, gate.value)


def _shown(gate: Gate, value: float) -> str:
    """A time, an energy or a share."""
    if gate.kind == "energy":
        return joules(value)
    return duration(value) if gate.kind == "time" else percent(value, signed=False)


def sentence(gate: Gate) -> str:
    """A gate that failed, in one line."""
    if gate.value is None:
        option = gate.gate if gate.kind == "regression" else f"budget {gate.gate}"
        to_do = "" if gate.next_step in gate.reason else f"; {gate.next_step}"
        return f"{gate.path}: --{option} cannot be judged: {gate.reason}{to_do}"
    found, limit, over = [_shown(gate, value) for value in (gate.value, gate.limit, gate.value - gate.limit)]
    allows = f"allows {limit}" + (f", {over} less" if found == limit else "")
    if gate.kind == "regression":
        return f"{gate.path}: {gate.of} is {found} slower than the baseline; --{gate.gate} {allows}"
    of = " of the request" if gate.kind == "share" else ""
    return f"{gate.path}: {gate.of} takes {found}{of}; --budget {gate.gate} {allows}"

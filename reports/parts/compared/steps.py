"""Decode step k of one run beside decode step k of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block, note
from reports.palette import NONE
from reports.parts.compared.words import signed
from reports.units import duration, percent

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.comparison import Comparison, Pair, Steps

OPERATORS = "operator time"
NAMES = {"device": "device time", "latency": "latency"}


def part(_: Comparison, pair: Pair, __: Asked) -> Block | None:
    """A row by device time, one by latency."""
    columns = [
        Column("", right=False),
        Column("steps", rank=2),
        Column(pair.baseline, rank=1),
        Column(pair.other, rank=1),
        Column("delta"),
        Column("ratio"),
        Column("parts at", right=False, wraps=True),
    ]
    if not pair.steps:
        return None
    says = (
        "Step k beside step k; delta and ratio: medians over the steps. Parts at: the first of three steps in a row "
        "that differ the same way by more than that, the tolerance or three standard deviations from step to step."
    )
    drifts = "Untested: the host's time drifts from recording to recording, so nothing is said without --tolerance."
    unjudged = not all(steps.judged for steps in pair.steps)
    title = f"decode steps, {pair.other} against {pair.baseline}"
    rows = [_row(steps, pair.work) for steps in pair.steps]
    return block(title, Table(columns, rows), note(says, drifts if unjudged else ""))


def _row(steps: Steps, work: str) -> Row:
    middle = [duration(sorted(side)[len(side) // 2]) for side in (steps.before_ns, steps.after_ns)]
    where = "nowhere" if steps.parts_at is None else f"#{steps.parts_at}"
    parts = f"beyond {percent(steps.beyond, signed=False)}: {where}" if steps.judged else "untested"
    ratio = NONE if steps.ratio is None else f"× {steps.ratio:.3f}"
    name = OPERATORS if steps.of == "device" and work == "operators" else NAMES.get(steps.of, steps.of)
    return Row([name, f"{len(steps.before_ns):,}", *middle, signed(steps.delta_ns), ratio, parts])

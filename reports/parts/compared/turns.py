"""How two runs were recorded in turns, and why that ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Caution, Line, block, line, note
from reports.units import counted, duration, percent

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.comparison import Comparison, Row, Turns

ENDED = {
    "time": "The time was spent before that was reached.",
    "interrupt": "Interrupted before that was reached.",
    "failure": "A recording failed before that was reached.",
}
# From here on, minutes.
LONG_S = 180
METHOD = (
    "Each recording a process of its own, in blocks of two of either run, in an order drawn by lot; one of each came "
    "before to warm up and is not compared. When to stop was decided by how the recordings of a block scatter, without "
    "looking at whose they are, so that stopping makes no claim likelier."
)


def part(comparison: Comparison, _: Asked) -> Block | None:
    """What was asked, what was reached, and the order."""
    turns = comparison.turns
    if turns is None:
        return None
    return block(
        "in turns",
        line(
            f"{counted(turns.compared, 'recording')} of each run, in {_time(turns.took_s)}, "
            f"to know {turns.of} to ± {percent(turns.precision, signed=False)}.",
            role="strong",
        ),
        _reached(comparison, turns),
        line(f"order: {' '.join(turns.order)} (seed {turns.seed})", role="dim"),
        note(METHOD),
        *([Caution(turns.reason, "note")] if turns.reason else []),
    )


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= LONG_S else duration(seconds * 1e9)


def _reached(comparison: Comparison, turns: Turns) -> Line | None:
    row = next((row for pair in comparison.pairs for row in pair.rows if row.of == turns.of and not row.per), None)
    ended = ENDED.get(turns.ended, "")
    return line(f"{ended} {_interval(row)}".strip())


def _interval(row: Row | None) -> str:
    if row is None or row.low_ratio is None or row.high_ratio is None:
        return "So few recordings leave room for any difference: nothing can be judged. Give it more time (--max-time)."
    half = percent((row.high_ratio - row.low_ratio) / 2, signed=False)
    return f"It is known to ± {half}: × {row.low_ratio:.3f} to × {row.high_ratio:.3f}."

"""Why the device waits: idle time by its cause, of each stage, or of a trace without stages in all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Sentence, Table, block, note
from reports.palette import NONE
from reports.parts.words import on_cpu
from reports.units import duration, share
from tracer.document.summary import WAITING, Idle

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Summary

# A stage whose device waits for less than one part in so many of its window does not wait.
LEAST = 100
CAUSES = {
    "host": "host: the next op was not asked for yet.",
    "sync": "sync: the host waited for the device in place of asking.",
    "launch": "launch: asked for, not yet running.",
    "unknown": "unknown: the launch was not recorded.",
}
CLOCK = "unknown: the device's clock is off against the host's."


def part(summary: Summary, asked: Asked) -> Block | None:
    """A row for each stage whose device is known to wait, a column for each cause that there is."""
    if on_cpu(summary):
        return None  # nothing is launched there: between operators the host is at work
    rest = summary.device.unattributed
    found = [(one.stage, one.busy_ns or 0, one.idle_ns or 0, one.idle or Idle()) for one in summary.stages]
    found.append(("no stage" if summary.stages else "all", rest.busy_ns, rest.idle_ns or 0, rest.idle or Idle()))
    shown = [row for row in found if not summary.stages or asked.shows(row[0])]
    waiting = [row for row in shown if row[2] and row[2] * LEAST >= row[1] + row[2]]
    causes = [cause for cause in CAUSES if any(_of(idle, cause) for *_, idle in waiting)]
    if not causes:
        return None
    columns = [
        Column("stage", right=False),
        Column("idle"),
        Column("share", rank=2),
        *[Column(cause, rank=1 if cause == "unknown" else 0) for cause in causes],
    ]
    rows = [
        Row([stage, duration(idle_ns), share(idle_ns, busy_ns + idle_ns), *[_time(idle, cause) for cause in causes]])
        for stage, busy_ns, idle_ns, idle in waiting
    ]
    off = any(one.what == WAITING for one in summary.abstained)
    said = [Sentence(cause, CLOCK if off and cause == "unknown" else CAUSES[cause]) for cause in causes]
    says = note(Sentence("share", "share: of busy and idle time together."), *said)
    return block("why the device waits", Table(columns, rows), says)


def _of(idle: Idle, cause: str) -> int:
    return int(getattr(idle, f"{cause}_ns"))


def _time(idle: Idle, cause: str) -> str:
    return duration(_of(idle, cause)) if _of(idle, cause) else NONE

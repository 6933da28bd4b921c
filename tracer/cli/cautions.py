"""What whoever asks for rows of a trace must know, beside them: on standard error, so that they stay rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.cli.streams import tell

if TYPE_CHECKING:
    from tracer.document.summary import Summary


def caution(summary: Summary) -> None:
    """Say what was launched and not recorded: rows of ops are of the rest, and sums of them no stage's time."""
    from tracer.document.summary import Lost

    lost = summary.lost
    if isinstance(lost, Lost):
        tell(f"{summary.trace.path}: {lost.reason}; the tables have what was recorded; {lost.next_step}")
        return
    for reason, next_step in {(one.reason, one.next_step): None for one in summary.abstained if _hurts(one.what)}:
        tell(f"{summary.trace.path}: {reason}; the tables have what was recorded; {next_step}")


def _hurts(what: str) -> bool:
    """Whether what is not answered is in the tables all the same, or by what is missing is no answer either."""
    from tracer.document.summary import ALL_WORK, UNHEARD, UNJOINED, UNWORKED, WAITING

    return what.startswith(ALL_WORK) or what in (UNHEARD, UNJOINED, UNWORKED, WAITING)

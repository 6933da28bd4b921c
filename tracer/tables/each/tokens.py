"""Each decode step, as in the summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.tables.documented import COUNTED, HELD, IDLE, LOST, column, counted, held, idle, lost
from tracer.tables.table import Column, Table

if TYPE_CHECKING:
    from tracer.document.summary import Summary
    from tracer.summarize import Charged


def _rows(_: Charged, summary: Summary) -> dict[str, Any]:
    tokens = summary.tokens
    return {
        "request": [None if token.request < 0 else token.request for token in tokens],
        "token": column(tokens, "index"),
        **{name: column(tokens, name) for name in _PLAIN},
        **idle(tokens),
        **counted(tokens),
        **held(tokens),
        **lost(tokens),
    }


_PLAIN = ("ops", "device_time_ns", "busy_ns", "idle_ns", "cpu_ns")
TABLE = Table(
    meaning="a decode step that was recorded; whether a step is a token says `summary.trace.steps`",
    key=("request", "token"),
    columns=(
        Column("request", "the request, where the trace tells them"),
        Column("token", "index of the step: step k yields token k, token 0 comes out of prefill"),
        Column("ops", "device ops launched inside"),
        Column("device_time_ns", "their durations added up"),
        Column("busy_ns", "its share of the time in which anything ran"),
        Column("idle_ns", "gaps that its ops ended"),
        *IDLE,
        Column("cpu_ns", "the range itself, on the host"),
        *COUNTED,
        *HELD,
        LOST,
    ),
    rows=_rows,
)

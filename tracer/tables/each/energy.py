"""What stages, requests and tokens cost in joules, as in the summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.document.summary import Energy
from tracer.tables.table import FLOAT, TEXT, Column, Table

if TYPE_CHECKING:
    from tracer.document.summary import Joules, Summary
    from tracer.summarize import Charged


def _rows(_: Charged, summary: Summary) -> dict[str, Any]:
    found = summary.energy
    rows = _of(found) if isinstance(found, Energy) else []
    return {column.name: [row.get(column.name) for row in rows] for column in TABLE.columns}


def _of(found: Energy) -> list[dict[str, Any]]:
    rows = [
        {
            "of": one.stage,
            "joules": one.joules,
            **_bounds(one.interval),
            "above_idle_joules": one.above_idle_joules,
            "watts": one.watts,
            "run_ns": one.run_ns,
            "runs": one.runs,
            "repeats": one.repeats,
            "reason": one.reason or None,
        }
        for one in found.stages
    ]
    if found.per_token is not None:
        rows.append({"of": "token", **_joules(found.per_token)})
    if found.per_request is not None and all(row["of"] != "request" for row in rows):
        rows.append({"of": "request", **_joules(found.per_request)})
    if found.idle_watts is not None:
        rows.append({"of": "idle", "watts": found.idle_watts})
    return [{**row, "source": found.source} for row in rows]


def _joules(one: Joules) -> dict[str, Any]:
    return {"joules": one.joules, **_bounds(one.interval)}


def _bounds(interval: tuple[float, float] | None) -> dict[str, Any]:
    return {} if interval is None else {"low_joules": interval[0], "high_joules": interval[1]}


TABLE = Table(
    meaning="what a stage of one request, the request, a token (decoding's, of each sequence) or idling takes",
    key=("of",),
    columns=(
        Column("of", "a stage, `request`, `token` or `idle`", TEXT),
        Column("joules", "of the device", FLOAT),
        Column("low_joules", "lower bound of it", FLOAT),
        Column("high_joules", "upper bound of it", FLOAT),
        Column("above_idle_joules", "of it, what the device would not use anyway, where that is told", FLOAT),
        Column("watts", "mean power while it was repeated", FLOAT),
        Column("run_ns", "what one run took then; of decode, one step"),
        Column("runs", "that a request has"),
        Column("repeats", "runs that were measured"),
        Column("source", "whose counter", TEXT),
        Column("reason", "why nothing is known", TEXT),
    ),
    rows=_rows,
)

"""Each finding, as in the summary."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tracer.tables.documented import column
from tracer.tables.table import TEXT, Column, Table

if TYPE_CHECKING:
    from tracer.document.summary import Summary
    from tracer.summarize import Charged


def _rows(_: Charged, summary: Summary) -> dict[str, Any]:
    found = summary.findings
    return {
        **{name: column(found, name) for name in ("id", "severity", "message", "rule", "next_step")},
        "gain_ns": [one.gain and one.gain.time_ns for one in found],
        "gain_of_ns": [one.gain and one.gain.of_ns for one in found],
        "gain_of": [one.gain and one.gain.of for one in found],
        "evidence": [json.dumps(one.evidence, default=str) for one in found],
    }


TABLE = Table(
    meaning="something worth knowing",
    key=("id",),
    columns=(
        Column("id", "of the rule; `tracer explain` says more", TEXT),
        Column("severity", "info, warning or error", TEXT),
        Column("message", "one sentence with its figures", TEXT),
        Column("rule", "when it is raised", TEXT),
        Column("next_step", "what to do first", TEXT),
        Column("gain_ns", "what that would save, where it can be estimated"),
        Column("gain_of_ns", "out of this"),
        Column("gain_of", "what that is the time of", TEXT),
        Column("evidence", "its figures by name, as JSON", TEXT),
    ),
    rows=_rows,
)

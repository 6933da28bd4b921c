"""Each request without a profiler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.document.names import REQUEST, STAGES, TPOT, TTFT
from tracer.document.summary import measures
from tracer.tables.documented import column
from tracer.tables.places import numbers
from tracer.tables.table import FLOAT, TEXT, Column, Table

if TYPE_CHECKING:
    from tracer.document.summary import Summary
    from tracer.summarize import Charged

_PLAIN = ("sample", "sample_name", "batch_size", "prompt_tokens", "visual_tokens", "new_tokens")


def _rows(_: Charged, summary: Summary) -> dict[str, Any]:
    requests = summary.requests
    taken = [measures(request) for request in requests]
    return {
        "request": numbers(len(requests)),
        **{name: column(requests, name) for name in _PLAIN},
        **{f"{stage}_ns": [row.get(stage) for row in taken] for stage in STAGES},
        "request_ns": [row[REQUEST] for row in taken],
        "ttft_ns": [row.get(TTFT) for row in taken],
        "tpot_ns": [row.get(TPOT) for row in taken],
    }


TABLE = Table(
    meaning="a request of the clean pass: latencies without a profiler",
    key=("request",),
    columns=(
        Column("request", "its number in the clean pass"),
        Column("sample", "which of the inputs it was given"),
        Column("sample_name", "that input's name, where there are several", TEXT),
        Column("batch_size", "sequences"),
        Column("prompt_tokens", "of each sequence"),
        Column("visual_tokens", "of each sequence"),
        Column("new_tokens", "of each sequence"),
        *(Column(f"{stage}_ns", f"time in {stage}") for stage in STAGES),
        Column("request_ns", "the whole request"),
        Column("ttft_ns", "request start to the end of prefill"),
        Column("tpot_ns", "(end of last token - end of token 0) / (tokens - 1)", FLOAT),
    ),
    rows=_rows,
)

"""Each range on the host: stages, requests, runs of the encoder, and what else was annotated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.arrays import int64
from tracer.document.names import ALL_STAGES, ENCODER, REQUEST
from tracer.tables.places import OF_STAGE, OF_THREAD, OF_TIME, numbers, of_role, of_thread
from tracer.tables.table import TEXT, Column, Known, Named, Table

if TYPE_CHECKING:
    from tracer.document.summary import Summary
    from tracer.summarize import Charged

ANNOTATION = "annotation"
_KINDS = ("stage", REQUEST, ENCODER, ANNOTATION)


def _rows(charged: Charged, _: Summary) -> dict[str, Any]:
    trace, ranges, marks, loose = charged.trace, charged.ranges, charged.trace.ranges, charged.trace.loose_ranges
    counts = (len(ranges), len(ranges.request_start_ns), len(ranges.encoder_start_ns), len(marks) + len(loose))

    def columns(*parts: Any) -> Any:
        return int64(np.concatenate([int64(part) for part in parts]))

    def none(count: int) -> Any:
        return np.full(count, -1, dtype=np.int64)

    rest = none(counts[2] + counts[3])
    stage = columns(ranges.stage, none(counts[1]), rest)
    request = columns(ranges.request, np.arange(counts[1]), rest)
    token = columns(ranges.index, none(counts[1]), rest)
    thread = columns(ranges.thread, none(counts[1]), ranges.encoder_thread, marks.thread, loose.thread)
    return {
        "range": numbers(sum(counts)),
        "kind": Named(int64(np.repeat(np.arange(len(_KINDS)), counts)), _KINDS),
        "name": Named(columns(none(sum(counts[:3])), marks.name, loose.name), trace.strings),
        **of_thread(trace, thread),
        "start_ns": columns(
            ranges.start_ns, ranges.request_start_ns, ranges.encoder_start_ns, marks.start_ns, loose.start_ns
        ),
        "end_ns": columns(ranges.end_ns, ranges.request_end_ns, ranges.encoder_end_ns, marks.end_ns, loose.end_ns),
        "stage": Named(stage, ALL_STAGES),
        "request": Known(request, request >= 0),
        "token": Known(token, token >= 0),
        "role": of_role(ranges, columns(np.arange(counts[0]), none(sum(counts[1:])))),
    }


TABLE = Table(
    meaning="a range on the host: as a stage, a request or a run of the encoder (however those were found), and each "
    "annotation of the file by its own name",
    key=("range",),
    columns=(
        Column("range", "its number"),
        Column("kind", "stage, request, encoder or annotation", TEXT),
        Column("name", "of an annotation, as the file has it", TEXT),
        *OF_THREAD,
        *OF_TIME,
        *OF_STAGE,
    ),
    rows=_rows,
)

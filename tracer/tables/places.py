"""Where a row belongs: the columns that many tables share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.arrays import int64
from tracer.charge.spans import innermost_span
from tracer.document.names import ALL_STAGES
from tracer.tables.table import TEXT, Column, Known, Named

if TYPE_CHECKING:
    from tracer.arrays import I32, I64
    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import Trace

OF_STAGE = (
    Column("stage", "the stage that it belongs to; none outside all", TEXT),
    Column("request", "the request, where the trace tells them"),
    Column("token", "the decode step, where it belongs to one"),
    Column("role", "which of several models works there; none of one model", TEXT),
)
OF_THREAD = (
    Column("process", "the host process, as the file spells it", TEXT),
    Column("thread", "the host thread, as the file spells it", TEXT),
)
OF_TIME = (
    Column("start_ns", "when it began, on the trace's clock"),
    Column("end_ns", "when it ended"),
)


def of_stage(ranges: StageRanges, place: I64) -> dict[str, Any]:
    """The columns OF_STAGE of rows whose stage range is `place`, -1 outside all."""
    held = place >= 0

    def of(column: I64, without: int) -> I64:
        return int64(np.append(column, without)[place])

    request, token = of(ranges.request, -1), of(ranges.index, -1)
    return {
        "stage": Named(of(ranges.stage, -1), ALL_STAGES),
        "request": Known(request, held & (request >= 0)),
        "token": Known(token, held & (token >= 0)),
        "role": of_role(ranges, place),
    }


def of_role(ranges: StageRanges, place: I64) -> Named:
    """The column `role` of the same rows."""
    names = list(dict.fromkeys(role for role in ranges.roles if role))
    code = {role: number for number, role in enumerate(names)}
    codes = [code.get(role, -1) for role in ranges.roles] or [-1] * len(ranges)
    return Named(int64(np.append(int64(codes), -1)[place]), names)


def open_at(ranges: StageRanges, start_ns: I64, thread: I64 | I32) -> I64:
    """The innermost stage range that is open on each thread at a time; -1 outside all."""
    if not len(ranges):
        return np.full(len(start_ns), -1, dtype=np.int64)
    return innermost_span(ranges, start_ns, int64(thread))


def of_thread(trace: Trace, thread: I64 | I32) -> dict[str, Any]:
    """The columns OF_THREAD of rows on these threads, -1 where a row has none."""
    return {
        "process": Named(int64(thread), [process for process, _ in trace.threads]),
        "thread": Named(int64(thread), [name for _, name in trace.threads]),
    }


def numbers(count: int) -> I64:
    """The key of a table's rows: 0, 1, 2, ..."""
    return np.arange(count, dtype=np.int64)

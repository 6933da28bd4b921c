"""Stages of a part that was cut out of a trace: as the whole told them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.arrays import int64
from tracer.charge.stages.ranges import StageRanges
from tracer.charge.stages.source import StageSource
from tracer.document.names import ALL_STAGES

if TYPE_CHECKING:
    from tracer.trace.columns import Trace


def _find(trace: Trace) -> StageRanges | None:
    part = trace.part
    if part is None or not part.stages:
        return None
    thread = {name: number for number, name in enumerate(trace.threads)}
    return StageRanges(
        markers=part.markers,
        start_ns=int64([one.start_ns for one in part.stages]),
        end_ns=int64([one.end_ns for one in part.stages]),
        thread=int64([thread[one.process, one.thread] for one in part.stages]),
        stage=int64([ALL_STAGES.index(one.stage) for one in part.stages]),
        index=int64([one.index for one in part.stages]),
        request=int64([one.request for one in part.stages]),
        encoder_start_ns=int64([one.start_ns for one in part.encoders]),
        encoder_end_ns=int64([one.end_ns for one in part.encoders]),
        encoder_thread=int64([thread[one.process, one.thread] for one in part.encoders]),
        request_start_ns=int64([start for start, _ in part.open]),
        request_end_ns=int64([end for _, end in part.open]),
        tokens=part.tokens,
        confidence=part.confidence,
        engine=part.engine,
        roles=tuple(one.role for one in part.stages) if any(one.role for one in part.stages) else (),
        passes=tuple(one.passes for one in part.stages) if any(one.passes >= 0 for one in part.stages) else (),
        results=tuple(one.result for one in part.stages) if any(one.result for one in part.stages) else (),
    )


SOURCE = StageSource(markers="part", rank=0, find=_find)

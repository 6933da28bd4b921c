"""Stages by the names of a trace's ranges: what all sources share that only have to read a name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct
from tracer.charge.spans import enclosing
from tracer.charge.stages.ranges import StageRanges
from tracer.charge.stages.source import StageSource
from tracer.document.names import (
    ALL_STAGES,
    DECODE,
    DRAFT,
    ENCODER,
    MAP,
    PREFILL,
    PROJECTOR,
    REQUEST,
    TARGET,
    VERIFY,
    VISION,
    parse_passes,
    parse_result,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tracer.arrays import I64
    from tracer.trace.columns import Trace

# Stage (of one of several models `ROLE/STAGE`), request or encoder, and its number if it has one.
Reading: TypeAlias = "tuple[str, int | None]"
_KINDS = (*ALL_STAGES, REQUEST, ENCODER)


def by_name(
    markers: str,
    rank: int,
    read: Callable[[str], Reading | None],
    *,
    count_steps: bool = True,
) -> StageSource:
    """A source that reads the name of each range.

    Args:
        markers, rank: see `StageSource`.
        read: the stage (or `request`, `encoder`) that a name means, with its number; None of any other name.
        count_steps: number the decode steps without a number in their order, from 1.
    """
    find = partial(_find, markers=markers, read=read, count_steps=count_steps)
    return StageSource(markers=markers, rank=rank, find=find)


def _find(
    trace: Trace, *, markers: str, read: Callable[[str], Reading | None], count_steps: bool
) -> StageRanges | None:
    names = [trace.strings[name] for name in distinct(trace.ranges.name)]
    readings = {name: reading for name in names if (reading := read(name)) is not None}
    if not any(_stage(kind) in ALL_STAGES for kind, _ in readings.values()):
        return None
    return _collect(trace, markers, readings, count_steps=count_steps)


def _collect(trace: Trace, markers: str, readings: Mapping[str, Reading], *, count_steps: bool) -> StageRanges:
    ranges = trace.ranges
    code, index = _by_string(trace, readings)
    codes = code[ranges.name]
    requests = np.flatnonzero(codes == _KINDS.index(REQUEST))
    encoders = np.flatnonzero(codes == _KINDS.index(ENCODER))
    chosen = np.flatnonzero((codes >= 0) & (codes < len(ALL_STAGES)))
    chosen = chosen[np.lexsort((-ranges.end_ns[chosen], ranges.start_ns[chosen]))]
    stage, token = codes[chosen], index[ranges.name[chosen]]
    if count_steps:
        unnumbered = (stage == ALL_STAGES.index(DECODE)) & (token < 0)
        token = np.where(unnumbered, np.cumsum(unnumbered), token)
    holder = enclosing(ranges, requests, chosen)
    return StageRanges(
        markers=markers,
        start_ns=ranges.start_ns[chosen],
        end_ns=ranges.end_ns[chosen],
        thread=int64(ranges.thread[chosen]),
        stage=int64(stage),
        index=int64(token),
        request=int64(np.where(holder >= 0, index[ranges.name[holder]], -1)),
        encoder_start_ns=ranges.start_ns[encoders],
        encoder_end_ns=ranges.end_ns[encoders],
        encoder_thread=int64(ranges.thread[encoders]),
        request_start_ns=ranges.start_ns[requests],
        request_end_ns=ranges.end_ns[requests],
        # Where no other stage checks a draft, decoding does, and yields what it accepts.
        tokens=ALL_STAGES.index(DRAFT) not in stage or ALL_STAGES.index(VERIFY) in stage,
        roles=_roles(trace, readings, chosen, stage),
        passes=_passes(trace, chosen, stage),
        results=_results(trace, chosen),
    )


def _stage(kind: str) -> str:
    return kind.rpartition("/")[2]


def _roles(trace: Trace, readings: Mapping[str, Reading], chosen: I64, stage: I64) -> tuple[str, ...]:
    """Which model works in each range: as its name says; where a draft is made or checked, else the target."""
    codes = trace.ranges.name[chosen].tolist()
    named = [readings[trace.strings[code]][0].rpartition("/")[0] for code in codes]
    stages = [ALL_STAGES[code] for code in stage.tolist()]
    speculates = DRAFT in stages or VERIFY in stages
    checks = dict.fromkeys((VISION, PROJECTOR, PREFILL, DECODE, VERIFY), TARGET)
    usual = {DRAFT: DRAFT, MAP: DRAFT, **checks} if speculates else {}
    found = [role or usual.get(one, "") for role, one in zip(named, stages, strict=True)]
    return tuple(found) if any(found) else ()


def _results(trace: Trace, chosen: I64) -> tuple[tuple[int, int] | None, ...]:
    """What each range that checks a draft says of it: the last that is said in it counts."""
    told = {code: result for code in distinct(trace.ranges.name) if (result := parse_result(trace.strings[code]))}
    if not told:
        return ()
    ranges = trace.ranges
    said = np.flatnonzero(np.isin(ranges.name, list(told)))
    said = said[np.argsort(ranges.start_ns[said], kind="stable")]
    found: dict[int, tuple[int, int]] = {}
    for row, holder in zip(said.tolist(), enclosing(ranges, chosen, int64(said)).tolist(), strict=True):
        found[holder] = told[int(ranges.name[row])]
    return tuple(found.get(row) for row in chosen.tolist())


def _passes(trace: Trace, chosen: I64, stage: I64) -> tuple[int, ...]:
    """How many passes each range says that it made; where any does, one each of those that do not but draft."""
    told = {
        code: made for code in distinct(trace.ranges.name) if (made := parse_passes(trace.strings[code])) is not None
    }
    if not told:
        return ()
    said = np.flatnonzero(np.isin(trace.ranges.name, list(told)))
    one_each = np.isin(stage, [ALL_STAGES.index(one) for one in (PREFILL, DECODE, VERIFY)])
    found = np.where(one_each, 1, -1)
    counts: dict[int, int] = {}
    for row, holder in zip(said.tolist(), enclosing(trace.ranges, chosen, int64(said)).tolist(), strict=True):
        counts[holder] = counts.get(holder, 0) + told[int(trace.ranges.name[row])]
    return tuple(counts.get(row, made) for row, made in zip(chosen.tolist(), found.tolist(), strict=True))


def _by_string(trace: Trace, readings: Mapping[str, Reading]) -> tuple[I64, I64]:
    """For each of the trace's strings, what kind of range it names and its number; -1 without."""
    code, index = (np.full(len(trace.strings), -1, dtype=np.int64) for _ in range(2))
    for position, name in enumerate(trace.strings):
        if name in readings:
            kind, number = readings[name]
            code[position] = _KINDS.index(_stage(kind))
            index[position] = -1 if number is None else number
    return code, index

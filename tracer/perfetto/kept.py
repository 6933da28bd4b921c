"""What of a trace a part of it must hold, so that it says of its stages what the whole says.

What the stages asked for, and the calls that did; the calls in which their thread waited. Beside these what the ledger
looks at: of each op that which ran on its device until then, where its gap begins or which it overlaps, and what
launched that. The ranges, operators and frames are kept that are open on the stages' threads in the meantime.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tracer.arrays import coded, int64, rows_of_each
from tracer.charge.intervals import Cover, distinct
from tracer.charge.ledger import recorded_windows
from tracer.charge.spans import innermost_span
from tracer.charge.stages.reach import until_done
from tracer.document.names import ALL_STAGES
from tracer.trace.api import starts_work, synchronises
from tracer.trace.part import Part, Place, StagePlace

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.charge.lost import LostWork
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace

    Track = tuple[str, str]

# Beside what is kept, so much is looked at closely.
NEAR_NS = 50_000


@dataclass(frozen=True, slots=True)
class Kept:
    """What to keep.

    Attributes:
        ops: start, end and name of each device op; of a trace without them, of operators that reach out of the stages.
        calls: start, end, track and name of each host call that matters.
        zones: when the stages are open, by the track of their thread.
        device: when a device works for them.
        near: all of these times, and a little around them.
        part: what is stated of the stages.
    """

    ops: frozenset[tuple[int, int, str]]
    calls: frozenset[tuple[int, int, Track, str]]
    zones: dict[Track, Cover]
    device: Cover
    near: Cover
    part: Part


def kept_of(trace: Trace, ranges: StageRanges, work: Work, lost: LostWork, chosen: I64, words: str) -> Kept:
    """Find what a part with these stage ranges must hold.

    Args:
        trace: the whole.
        ranges, work: of it.
        lost: launches of it without their ops, whose work may have run in any gap: all of them are kept.
        chosen: rows of `ranges`.
        words: which part of what it is.
    """
    inside = np.zeros(len(ranges) + 1, dtype=np.bool_)
    inside[chosen] = True
    own = int64(np.flatnonzero(inside[work.stage] & (work.stage >= 0)))
    # Without any device op a part would be of a CPU, whose operators are the work.
    beside = (
        _beside(trace, work, own)
        if len(own)
        else int64(np.abs(work.start_ns - ranges.start_ns[chosen[0]]).argsort()[:1])
    )
    losing = _of_losing_threads(trace, work, lost, int(ranges.start_ns[chosen[0]]))
    rows = _with_twins(work, np.union1d(own, np.union1d(beside, losing)))
    zones = {
        number: Cover.of(ranges.start_ns[mine], ranges.end_ns[mine])
        for number in distinct(ranges.thread[chosen])
        for mine in [chosen[ranges.thread[chosen] == number]]
    }
    calls = int64(np.union1d(_calls(trace, ranges, work, inside, own, rows, zones), lost.calls))
    part = msgspec.structs.replace(
        _part(trace, ranges, work, chosen, own, zones, words),
        cut_graphs=_places(trace, lost.calls[lost.in_part]),
        whole=_without_op_here(trace, work, lost, calls, rows),
    )
    names, tracks = trace.strings, trace.threads
    columns = trace.calls.start_ns[calls], trace.calls.end_ns[calls], trace.calls.thread[calls], trace.calls.name[calls]
    ops = work.start_ns[rows], work.end_ns[rows], work.name[rows]
    times = [(work.start_ns[rows], work.end_ns[rows]), columns[:2], (ranges.start_ns[chosen], ranges.end_ns[chosen])]
    starts, ends = (np.concatenate(parts) for parts in zip(*times, strict=True))
    return Kept(
        ops=frozenset(
            (start, end, names[name]) for start, end, name in zip(*(column.tolist() for column in ops), strict=True)
        ),
        calls=frozenset(
            (start, end, tracks[thread], names[name])
            for start, end, thread, name in zip(*(column.tolist() for column in columns), strict=True)
        ),
        zones={tracks[number]: cover for number, cover in zones.items()},
        device=Cover.of(work.start_ns[own], work.end_ns[own]) if work.on_device else Cover.of(int64([]), int64([])),
        near=Cover.of(starts - NEAR_NS, ends + NEAR_NS),
        part=part,
    )


def _beside(trace: Trace, work: Work, own: I64) -> I64:
    """For each piece of work, what ran longest of all that began before it on its device (its thread)."""
    mine = np.zeros(len(work), dtype=np.bool_)
    mine[own] = True
    found = [own[:0]]
    track = work.device if work.on_device else work.track
    for window in recorded_windows(trace, track, work.start_ns):
        rows = int64(window)
        if work.on_device:
            ops = trace.ops
            order = rows[np.lexsort((rows, ops.correlation[rows], ops.stream[rows], ops.start_ns[rows]))]
        else:
            order = rows[np.lexsort((-work.end_ns[rows], work.start_ns[rows]))]
        end = work.end_ns[order]
        furthest = np.maximum.accumulate(end)
        longest = np.maximum.accumulate(np.where(end == furthest, np.arange(len(end)), 0))
        asked = np.flatnonzero(mine[order])
        found.append(order[longest[asked[asked > 0] - 1]])
        if not work.on_device:
            found.append(order[_inside(work, order, mine)])
    return int64(np.concatenate(found))


def _of_losing_threads(trace: Trace, work: Work, lost: LostWork, near_ns: int) -> I64:
    """For each thread that lost ops one op on each device that it works for, near a time.

    What a thread without any op has lost may have run on any device.
    """
    threads = distinct(int64(trace.calls.thread[lost.calls]))
    asked = np.flatnonzero(np.isin(work.call_thread, threads) & (work.call >= 0))
    asked = asked[np.argsort(np.abs(work.start_ns[asked] - near_ns), kind="stable")]
    device, code = coded(work.device[asked])
    pair = len(device) * np.searchsorted(int64(threads), work.call_thread[asked]) + code
    return int64([asked[rows[0]] for _, rows in rows_of_each(int64(pair))])


def _inside(work: Work, rows: I64, mine: Bools) -> Bools:
    """Which of a thread's operators begin inside a chosen one: that time is theirs."""
    own = rows[mine[rows]]
    cover = Cover.of(work.start_ns[own], work.end_ns[own])
    return np.asarray(cover.within(work.start_ns[rows], work.start_ns[rows] + 1) > 0, dtype=np.bool_)


def _with_twins(work: Work, rows: I64) -> I64:
    """These, and all of the same times and name, which the text of a trace does not tell apart."""
    keys = np.stack([work.start_ns, work.end_ns, int64(work.name)], axis=1)
    order = np.lexsort(keys.T)
    same = np.append(False, (keys[order][1:] == keys[order][:-1]).all(axis=1)) if len(order) else order.astype(np.bool_)
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.cumsum(~same)
    return int64(np.flatnonzero(np.isin(group, group[rows])))


def _calls(
    trace: Trace, ranges: StageRanges, work: Work, inside: Bools, own: I64, rows: I64, zones: dict[int, Cover]
) -> I64:
    """Calls within the stages, those that launched what is kept, and those in which the stages' threads waited."""
    calls = trace.calls
    stage = innermost_span(ranges, calls.start_ns, int64(calls.thread))
    kept = np.asarray(inside[stage] & (stage >= 0), dtype=np.bool_)
    launches = work.call[rows]
    kept[launches[launches >= 0]] = True
    waits = np.array([*map(synchronises, trace.strings)], dtype=np.bool_)
    waiting = np.flatnonzero(waits[calls.name]) if len(calls) else int64([])
    asked = own[work.call[own] >= 0]
    called_ns = work.call_start_ns
    for number in distinct(calls.thread[waiting]):
        mine = waiting[calls.thread[waiting] == number]
        gaps = asked[work.call_thread[asked] == number]
        low, high = work.start_ns[gaps] - work.gap_ns[gaps], np.maximum(called_ns[gaps], work.start_ns[gaps])
        zone = zones.get(number)
        cover = Cover.of(
            np.concatenate([low, zone.start_ns if zone else low[:0]]),
            np.concatenate([high, zone.end_ns if zone else high[:0]]),
        )
        kept[mine[cover.within(calls.start_ns[mine], calls.end_ns[mine] + 1) > 0]] = True
    return int64(np.flatnonzero(kept))


def _part(
    trace: Trace, ranges: StageRanges, work: Work, chosen: I64, own: I64, zones: dict[int, Cover], words: str
) -> Part:
    return Part(
        of=words,
        markers=ranges.markers,
        tokens=ranges.tokens,
        confidence=ranges.confidence,
        engine=ranges.engine,
        clocks_off=work.clocks.devices if work.clocks is not None else [],
        stages=[
            StagePlace(
                start_ns=int(ranges.start_ns[row]),
                end_ns=int(ranges.end_ns[row]),
                process=trace.threads[ranges.thread[row]][0],
                thread=trace.threads[ranges.thread[row]][1],
                stage=ALL_STAGES[ranges.stage[row]],
                index=int(ranges.index[row]),
                request=int(ranges.request[row]),
                role=ranges.roles[row] if ranges.roles else "",
                passes=ranges.passes[row] if ranges.passes else -1,
                result=ranges.results[row] if ranges.results else None,
            )
            for row in chosen.tolist()
        ],
        open=_open(ranges, work, own),
        encoders=[
            Place(start, end, *trace.threads[thread])
            for start, end, thread in zip(
                ranges.encoder_start_ns.tolist(), ranges.encoder_end_ns.tolist(), ranges.encoder_thread.tolist(),
                strict=True,
            )
            if thread in zones and zones[thread].within(int64([start]), int64([start + 1]))[0]
        ],
    )  # fmt: skip


def _without_op_here(trace: Trace, work: Work, lost: LostWork, calls: I64, rows: I64) -> list[Place]:
    """Of these calls the launches that lost nothing and have no op among `rows`: the part cannot tell why."""
    launched = np.zeros(len(trace.calls), dtype=np.bool_)
    launched[work.call[rows[work.call[rows] >= 0]]] = True
    launch = np.array([*map(starts_work, trace.strings)], dtype=np.bool_)
    found = calls[launch[trace.calls.name[calls]] & ~launched[calls]]
    lacking = {*_places(trace, lost.calls)}
    return [place for place in _places(trace, found) if place not in lacking]


def _places(trace: Trace, calls: I64) -> list[Place]:
    columns = trace.calls.start_ns[calls], trace.calls.end_ns[calls], trace.calls.thread[calls]
    times = zip(*(column.tolist() for column in columns), strict=True)
    return [Place(start_ns, end_ns, *trace.threads[thread]) for start_ns, end_ns, thread in times]


def _open(ranges: StageRanges, work: Work, own: I64) -> list[tuple[int, int]]:
    """When a stage or a request was open, from the first gap of this work to its end."""
    if not len(own):
        return []
    low, high = int((work.start_ns[own] - work.gap_ns[own]).min()), int(work.end_ns[own].max())
    cover = Cover.of(*until_done(ranges, work.stage, work.end_ns).open_times())
    start, end = np.maximum(cover.start_ns, low), np.minimum(cover.end_ns, high)
    return [(one, other) for one, other in zip(start.tolist(), end.tolist(), strict=True) if other > one]

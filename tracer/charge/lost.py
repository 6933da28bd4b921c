"""Work that was launched and not recorded: launch calls that have no device op, and replays of graphs that have a part.

Profilers lose records silently: kernels of replayed graphs, the first steps of a session, all of a device whose
activity was not asked for. What a stage asked for is known then, what the device did for it is not. Launches inside a
stream capture run nothing, whichever thread joins it, and a fill or copy of no bytes returns at once and leaves no
record; neither is lost. What a replay lacks is told by the others (`cut_replays`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int32, int64, is_ascending, rows_of_each
from tracer.charge.attribution import attribute_ops
from tracer.charge.cut_replays import cut_replays
from tracer.charge.intervals import distinct, outermost
from tracer.charge.launches import process_of_thread
from tracer.charge.stages.ranges import StageRanges
from tracer.charge.work import work_of
from tracer.document.names import ALL_STAGES, PREFILL
from tracer.trace.api import (
    begins_capture,
    ends_capture,
    launches,
    launches_graph,
    moves_bytes,
    starts_work,
    synchronises,
)
from tracer.trace.columns import NO_CORRELATION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracer.arrays import I32, I64, Bools
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace
    from tracer.trace.part import Place

# The quickest fill or copy that put work on a device took 1,748 ns in 20,000 of them; those of no bytes 140 to 1,000.
AT_ONCE_NS = 1_400
# Real files whose records are whole have single fills and copies without an op, not one in so many launches. Of kernels
# and graphs Kineto's have none, those of Nsight Systems single kernels.
STRAY_OF = 1_000
# None of so many calls of a name has an op: of that kind nothing was recorded.
SEVERAL = 4
WAITED_FOR = ("Stream", "Device")
# Fewer launches than this are few enough for a single one to matter.
FEW_LAUNCHES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class LostWork:
    """Launch calls whose work was not recorded; none where all were.

    Attributes:
        made: all launch calls outside captures, as indices among the host's calls, in the order of their start; of
            nested ones the outer.
        calls: those of them without a device op, or of a graph with a part of its ops.
        in_part: which of `calls` are those of graphs.
        stage: of each of `calls` the index of its stage range; -1 outside all.
        in_gap: of each piece of work, whether some of the lost work may have run in the gap that it ended.
    """

    made: I32
    calls: I64
    in_part: Bools
    stage: I64
    in_gap: Bools

    def __len__(self) -> int:
        return int(self.calls.shape[0])

    def of_ranges(self, size: int) -> I64:
        """How many each of `size` stage ranges made."""
        held = self.stage[self.stage >= 0]
        return int64(np.bincount(held, minlength=size)) if size else int64([])


def find_lost(
    trace: Trace, ranges: StageRanges, work: Work, *, any_thread: bool = False, told: tuple[I64, I64] | None = None
) -> LostWork:
    """Find the launches without their ops, and the gaps in which their work may have run.

    Args:
        trace: with its calls.
        ranges: its stages.
        work: of the trace.
        any_thread: as for the work's own attribution; see `attribute_ops`.
        told: what was found in a trace of which this is a part; see `lost_of_whole`.
    """
    made = _launches(trace)
    if told is None:
        made, calls = _found(trace, work, made)
    else:
        calls = _at(trace, told[0], starts_work)
        calls = calls[np.isin(calls, made)]
    graphs = _cut(trace, work, None if told is None else told[1])
    graphs = graphs[np.isin(graphs, made) & ~np.isin(graphs, calls)]
    calls = int64(np.concatenate([calls, graphs]))
    calls = calls[np.argsort(trace.calls.start_ns[calls], kind="stable")]
    start_ns, thread = trace.calls.start_ns[calls], int64(trace.calls.thread[calls])
    stage, _ = attribute_ops(start_ns, thread, ranges, process_of_thread(trace), any_thread=any_thread)
    if ranges.confidence is not None:
        stage = _beside(ranges, start_ns, thread, stage)
    in_gap = _gaps(work, start_ns, thread)
    if len(graphs):
        in_gap |= np.isin(work.call, graphs) & (work.gap_ns > 0)
    return LostWork(made=int32(made), calls=calls, in_part=np.isin(calls, graphs), stage=stage, in_gap=in_gap)


def _found(trace: Trace, work: Work, made: I64) -> tuple[I64, I64]:
    """The launches outside captures, and those of them whose work was not recorded.

    Of those without an op a part of a trace states which lost nothing; what tells so may not be in it.
    """
    if trace.part is not None:
        lacking = made[~np.isin(made, work.call)]
        return made, lacking[~np.isin(lacking, _at(trace, _places(trace, trace.part.whole), starts_work))]
    calls = _without_op(trace, work, made)
    if len(joined := _joined_captures(trace, calls)):
        made, calls = made[~np.isin(made, joined)], calls[~np.isin(calls, joined)]
    return made, calls[:0] if _only_strays(trace, calls, made) else calls


def _beside(ranges: StageRanges, start_ns: I64, thread: I64, stage: I64) -> I64:
    """The stages of launches, those outside all with the stage beside them on their thread.

    Stages that are told by what repeats are made of what was recorded: a pass of which the first kernels were lost
    begins too late, and steps without kernels are none. So what was lost ahead of a prompt's pass may be of that, and
    else of the step before.
    """
    found, prompts = stage.copy(), ranges.stage == ALL_STAGES.index(PREFILL)
    for number in distinct(ranges.thread):
        own = np.flatnonzero(ranges.thread == number)
        own = own[np.argsort(ranges.start_ns[own], kind="stable")]
        rows = np.flatnonzero((thread == number) & (stage < 0))
        later = np.searchsorted(ranges.start_ns[own], start_ns[rows], side="right")
        behind, before = own[np.minimum(later, len(own) - 1)], own[np.maximum(later - 1, 0)]
        found[rows] = np.where((later == 0) | (prompts[behind] & (later < len(own))), behind, before)
    return found


def lost_of_whole(trace: Trace) -> tuple[I64, I64]:
    """[3, launches] from when to when and on which thread work was launched of which nothing was recorded, or a part.

    To be asked before the trace is cut: what tells it may lie outside of what is chosen.
    """
    none = StageRanges.none()
    lost, calls = find_lost(trace, none, work_of(trace, none)), trace.calls
    told = calls.start_ns[lost.calls], calls.end_ns[lost.calls], int64(calls.thread[lost.calls])
    places = np.stack(told)
    return places[:, ~lost.in_part], places[:, lost.in_part]


def _cut(trace: Trace, work: Work, cut: I64 | None) -> I64:
    """Launches of graphs that have a part of their ops, as indices among the calls."""
    if cut is not None:
        return _at(trace, cut, launches_graph)
    if trace.part is not None:
        return _stated(trace)
    return cut_replays(trace, int32(work.call), work.clocks) if work.on_device else int64([])


def _stated(trace: Trace) -> I64:
    """Those that a part states, since it may not have what tells them."""
    return _at(trace, _places(trace, [] if trace.part is None else trace.part.cut_graphs), launches_graph)


def _places(trace: Trace, places: Sequence[Place]) -> I64:
    """[3, places] when they begin and end, and on which thread."""
    number = {thread: place for place, thread in enumerate(trace.threads)}
    told = [(place.start_ns, place.end_ns, number.get((place.process, place.thread), -1)) for place in places]
    return int64(told).reshape(-1, 3).T


def _at(trace: Trace, launches_at: I64, tells: Callable[[str], bool]) -> I64:
    """The calls at these times, on these threads, of which the name tells something."""
    asked = set(zip(*launches_at.tolist(), strict=True))
    rows = _named(trace, tells) if asked else int64([])
    columns = trace.calls.start_ns[rows], trace.calls.end_ns[rows], trace.calls.thread[rows]
    told = zip(*(column.tolist() for column in columns), strict=True)
    return rows[np.array([one in asked for one in told], dtype=np.bool_)]


def _named(trace: Trace, tells: Callable[[str], bool]) -> I64:
    """The calls of which the name tells something, in the order of the trace."""
    if not len(trace.calls):
        return int64([])
    known = np.zeros(len(trace.strings), dtype=np.bool_)
    for name in distinct(trace.calls.name):
        known[name] = tells(trace.strings[name])
    return int64(np.flatnonzero(known[trace.calls.name]))


def outermost_calls(trace: Trace, tells: Callable[[str], bool]) -> I64:
    """The calls of which the name tells something, less those inside another such call on their thread.

    A runtime's call and the driver's inside it are one.
    """
    calls = trace.calls
    rows = _named(trace, tells)
    found = [rows[:0]]
    for thread in distinct(calls.thread[rows]):
        own = rows[calls.thread[rows] == thread]
        found.append(own[outermost(calls.start_ns[own], calls.end_ns[own])])
    return int64(np.concatenate(found))


def _launches(trace: Trace) -> I64:
    """The outermost launch calls outside captures that can be joined to an op, in the order of their start."""
    calls = trace.calls
    rows = outermost_calls(trace, starts_work)
    numbers = calls.correlation[rows]
    rows = rows[(numbers != NO_CORRELATION) & (numbers != 0)]
    del numbers
    rows = rows[~_captured(trace, rows)]
    started_ns = calls.start_ns[rows]
    return int64(rows if is_ascending(started_ns) else rows[np.argsort(started_ns, kind="stable")])


def _captured(trace: Trace, rows: I64) -> Bools:
    """Which calls lie between the begin and the end of a stream capture on their thread.

    A capture whose begin, or whose end, was not recorded reaches to the nearest call on that side that no capture
    allows (the replay of a graph, a wait for the device or a stream), else to that end of the trace.
    """
    calls = trace.calls
    begins, ends = _named(trace, begins_capture), _named(trace, ends_capture)
    captured = np.zeros(len(rows), dtype=np.bool_)
    outside = _named(trace, _outside_captures) if len(begins) or len(ends) else begins
    for thread in distinct(calls.thread[np.concatenate([begins, ends])]):
        opened_ns, closed_ns = (np.sort(calls.start_ns[at[calls.thread[at] == thread]]) for at in (begins, ends))
        mine = np.flatnonzero(calls.thread[rows] == thread)
        start_ns = calls.start_ns[rows[mine]]
        marks_ns = np.concatenate([opened_ns, closed_ns])
        order = np.argsort(marks_ns, kind="stable")
        opens, marks_ns = order < len(opened_ns), marks_ns[order]
        place = np.searchsorted(marks_ns, start_ns, side="right")
        behind_begin, before_end = np.append(False, opens)[place], np.append(~opens, False)[place]
        outside_ns = np.sort(calls.start_ns[outside[calls.thread[outside] == thread]])
        since = np.searchsorted(outside_ns, start_ns, side="right")
        # Whether such a call lies between the begin and it, or between it and the end.
        ended = since > np.searchsorted(outside_ns, np.append(0, marks_ns)[place])
        begun = since < np.searchsorted(outside_ns, np.append(marks_ns, 0)[np.minimum(place, len(marks_ns) - 1)])
        captured[mine] = (behind_begin & (before_end | ~ended)) | (before_end & (behind_begin | ~begun))
    return captured


def _outside_captures(name: str) -> bool:
    """Whether no capture allows such a call on its thread, as it would wait for what only a replay runs."""
    return launches_graph(name) or (synchronises(name) and name.partition("Synchronize")[0].endswith(WAITED_FOR))


def _joined_captures(trace: Trace, lacking: I64) -> I64:
    """Those of these launches by which threads took part in the capture that another of their process had begun.

    As a backward pass does that is captured with the rest: all that such a thread launched without an op, it launched
    while a capture was open.
    """
    calls, found = trace.calls, lacking[:0]
    begins = _named(trace, begins_capture) if len(lacking) else lacking
    if not len(begins):
        return found
    ends, process = _named(trace, ends_capture), process_of_thread(trace)
    inside = np.zeros(len(lacking), dtype=np.bool_)
    for thread in distinct(calls.thread[begins]):
        opened_ns = np.sort(calls.start_ns[begins[calls.thread[begins] == thread]])
        closed_ns = np.sort(calls.start_ns[ends[calls.thread[ends] == thread]])
        start_ns = calls.start_ns[lacking]
        latest_ns = np.append(closed_ns, np.iinfo(np.int64).min)[np.searchsorted(closed_ns, start_ns) - 1]
        since = np.searchsorted(opened_ns, start_ns) - np.searchsorted(opened_ns, latest_ns)
        later = np.searchsorted(closed_ns, start_ns) < len(closed_ns)
        inside |= (process[calls.thread[lacking]] == process[thread]) & (since > 0) & later
    for thread in distinct(calls.thread[lacking]):
        own = calls.thread[lacking] == thread
        if inside[own].all():
            found = np.concatenate([found, lacking[own]])
    return int64(found)


def _without_op(trace: Trace, work: Work, made: I64) -> I64:
    """Those launches that have no op, although they moved bytes.

    Ops that were refused a launch, because it began after them, are there: nothing of it was lost. Nor was anything of
    calls that share a number, as those of joined processes do, where as many ops bear it; and where no op has a number,
    nothing is known to be lost.
    """
    calls = trace.calls
    launched = np.zeros(len(calls), dtype=np.bool_)
    if work.on_device:
        launched[work.call[work.call >= 0]] = True
    lacking = made[~launched[made]]
    if not len(lacking):
        return lacking  # as in almost every trace, so that it costs next to nothing
    if work.on_device:
        if trace.part is None and (trace.ops.correlation == NO_CORRELATION).all():
            return lacking[:0]  # nothing joins ops to launches, but they are there; a part is of a trace with numbers
        numbers, refused = calls.correlation[lacking], trace.ops.correlation[work.call < 0]
        there = np.isin(numbers, refused[refused != NO_CORRELATION])
        there |= _occurs(numbers, trace.ops.correlation) >= _occurs(numbers, calls.correlation[made])
        lacking = lacking[~there]
    lacking = lacking[~_encloses(trace, lacking, launched)]
    return lacking[~_at_once(trace, lacking, made, launched)]


def _occurs(values: I64, among: I64) -> I64:
    """How often each of the values does."""
    ordered = np.sort(among)
    return int64(np.searchsorted(ordered, values, side="right") - np.searchsorted(ordered, values, side="left"))


def _encloses(trace: Trace, lacking: I64, launched: Bools) -> Bools:
    """Which calls have a call inside them, on their thread, that has an op."""
    calls = trace.calls
    rows = np.flatnonzero(launched)
    found = np.zeros(len(lacking), dtype=np.bool_)
    for thread in distinct(calls.thread[lacking]):
        own = np.flatnonzero(calls.thread[lacking] == thread)
        starts = np.sort(calls.start_ns[rows[calls.thread[rows] == thread]])
        first = np.searchsorted(starts, calls.start_ns[lacking[own]], side="left")
        found[own] = np.searchsorted(starts, calls.end_ns[lacking[own]], side="left") > first
    return found


def _at_once(trace: Trace, lacking: I64, made: I64, launched: Bools) -> Bools:
    """Which fills and copies returned too soon to have asked for anything: sooner than any of their name with an op.

    Beside kernels that were lost, quick ones may have been lost with them.
    """
    calls = trace.calls
    took_ns = calls.end_ns - calls.start_ns
    others, beside = made[launched[made]], _beside_lost_kernels(trace, lacking, made)
    found = np.zeros(len(lacking), dtype=np.bool_)
    for name in distinct(calls.name[lacking]):
        if moves_bytes(trace.strings[name]):
            own = np.flatnonzero(calls.name[lacking] == name)
            with_op = took_ns[others[calls.name[others] == name]]
            quicker = took_ns[lacking[own]] < with_op.min() if len(with_op) else np.zeros(len(own), dtype=np.bool_)
            found[own] = (took_ns[lacking[own]] < AT_ONCE_NS) | (quicker & ~beside[own])
    return found


def _beside_lost_kernels(trace: Trace, lacking: I64, made: I64) -> Bools:
    """Of each launch without an op, whether the kernel or graph launched before it or behind it has none either.

    Args:
        trace: with its calls.
        lacking: some of `made`.
        made: launches in the order of their start.
    """
    moves = np.array([moves_bytes(name) for name in trace.strings], dtype=np.bool_)
    kernels = made[~moves[trace.calls.name[made]]]
    lost = np.concatenate([[False], np.isin(kernels, lacking), [False]])
    place = np.searchsorted(trace.calls.start_ns[kernels], trace.calls.start_ns[lacking])
    return np.asarray(lost[place] | lost[place + 1], dtype=np.bool_)


def _only_strays(trace: Trace, calls: I64, made: I64) -> bool:
    """Whether these are so few among all launches, and fills and copies, that the records are whole.

    They are not where several calls of one name were made, and none of them has an op.
    """
    own = trace.calls.name[calls]
    codes = distinct(own)
    names = [trace.strings[name] for name in codes]
    kernels = trace.format != "nsight" and any(launches(name) for name in names)
    if kernels or any(launches_graph(name) for name in names):
        return False
    of_all = trace.calls.name[made]
    if any(SEVERAL <= np.count_nonzero(own == name) == np.count_nonzero(of_all == name) for name in codes):
        return False
    return len(calls) <= (max(1, len(made) // STRAY_OF) if len(made) >= FEW_LAUNCHES else 0)


def _gaps(work: Work, start_ns: I64, thread: I64) -> Bools:
    """Of each piece of work, whether one of these launches' work may have run in the gap that it ended.

    On each stream that is the first op launched after it: what was launched before ran before, in the order of the
    stream, and the next op behind waits for that first one. A launch counts for the devices that its thread uses, of
    a thread without any op for all.
    """
    found = np.zeros(len(work), dtype=np.bool_)
    asked = np.flatnonzero(work.call >= 0)
    if not len(start_ns) or not len(asked):
        return found
    track, start_of_work_ns, called_ns, asking = work.track, work.start_ns, work.call_start_ns, work.call_thread
    strangers = ~np.isin(thread, asking[asked])
    for _, of_device in rows_of_each(work.device[asked]):
        on_device = asked[of_device]
        counts = strangers | np.isin(thread, asking[on_device])
        for _, of_stream in rows_of_each(track[on_device]):
            own = on_device[of_stream]
            own = own[np.lexsort((start_of_work_ns[own], called_ns[own]))]
            place = np.searchsorted(called_ns[own], start_ns[counts], side="right")
            found[own[place[place < len(own)]]] = True
    return np.asarray(found & (work.gap_ns > 0), dtype=np.bool_)

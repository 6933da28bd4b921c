"""A rank that ran on a CPU: what its operators did, and gloo's collectives, which run on threads of their own.

A collective begins there when one of gloo's threads takes it, which is when this rank has come, and ends when this rank
has what it wanted; so its range is what a collective's kernel is on a device. Who asked for it is an operator of
`c10d`. gloo takes collectives in the order in which they were asked for, so of one kind the first belongs to the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import Cover, distinct, outermost
from tracer.charge.spans import innermost_span
from tracer.trace.collectives import Collective, Distributed

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import Trace

COLLECTIVE = "gloo:"
# Operators that ask for a collective, or wait for one.
ASKING, WAITING = "c10d::", ("c10d::", "_c10d_functional::")
UNKNOWN_OP = -1
# What gloo's ranges and c10d's operators spell differently; the first that a name contains is its kind.
_KINDS = (
    "allreduce", "allgather", "reducescatter", "alltoall", "broadcast", "barrier", "gather", "scatter", "reduce",
    "send", "recv",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Processed:
    """What one process did: operators that lie in no other, and collectives; nanoseconds on the trace's clock.

    Attributes:
        start_ns, end_ns: of each.
        stage: index of its stage range, by when it was asked for; -1 outside all.
        name: index into the trace's strings.
        kind: of each, which collective it is, an index into kinds; -1 of operators.
        asked: whether it is known who asked for it; then
        asked_ns: when.
        kinds: of collectives.
    """

    start_ns: I64
    end_ns: I64
    stage: I64
    name: I64
    kind: I64
    asked: Bools
    asked_ns: I64
    kinds: list[Collective]


def processes_of(trace: Trace) -> list[str]:
    """The processes that had collectives, in the order of their threads."""
    rows = _named(trace, COLLECTIVE)[trace.ranges.name]
    return list(dict.fromkeys(trace.threads[thread][0] for thread in distinct(trace.ranges.thread[rows])))


def groups_differ(distributed: Distributed) -> bool:
    """Whether the run has groups of different ranks, of which no range of gloo's says its own."""
    return len({frozenset(members) for members in distributed.groups.values()}) > 1


def processed(trace: Trace, ranges: StageRanges, process: str) -> Processed:
    """What a process did, in order.

    Args:
        trace: with its CPU operators.
        ranges: its stages.
        process: one of `processes_of`.
    """
    of_process = np.array([one == process for one, _ in trace.threads], dtype=np.bool_)
    spans, marks = trace.cpu_ops, trace.ranges
    collective = np.flatnonzero(_named(trace, COLLECTIVE)[marks.name] & of_process[marks.thread])
    collective = collective[np.argsort(marks.start_ns[collective], kind="stable")]
    asking = _outermost(trace, np.flatnonzero(_named(trace, ASKING)[spans.name] & of_process[spans.thread]))
    asker = _askers(trace, collective, asking)
    collective, asker = _of_requests(trace, ranges, collective, asker)
    threads = {*distinct(ranges.thread), *distinct(spans.thread[asking])}
    works = np.array([number in threads for number in range(len(trace.threads))], dtype=np.bool_) & of_process
    own = _outermost(trace, _working(trace, works))
    known = asker >= 0
    stage = np.full(len(collective), -1, dtype=np.int64)
    asked_ns = marks.start_ns[collective]  # of whom nobody is known to have asked, when it began
    asked_ns[known] = spans.start_ns[asker[known]]
    stage[known] = innermost_span(ranges, spans.start_ns[asker[known]], int64(spans.thread[asker[known]]))
    names, kind = np.unique(marks.name[collective], return_inverse=True)
    start = np.concatenate([spans.start_ns[own], marks.start_ns[collective]])
    order = np.argsort(start, kind="stable")

    def ordered(of_operators: I64, of_collectives: I64) -> I64:
        return int64(np.concatenate([of_operators, of_collectives])[order])

    return Processed(
        start_ns=int64(start[order]),
        end_ns=ordered(spans.end_ns[own], marks.end_ns[collective]),
        stage=ordered(innermost_span(ranges, spans.start_ns[own], int64(spans.thread[own])), stage),
        name=ordered(int64(spans.name[own]), int64(marks.name[collective])),
        kind=ordered(np.full(len(own), -1, dtype=np.int64), int64(kind)),
        asked=np.concatenate([np.ones(len(own), dtype=np.bool_), known])[order],
        asked_ns=ordered(spans.start_ns[own], asked_ns),
        kinds=[Collective(name=trace.strings[name].removeprefix(COLLECTIVE)) for name in names.tolist()],
    )


def _named(trace: Trace, *prefixes: str) -> Bools:
    return np.array([name.startswith(prefixes) for name in trace.strings], dtype=np.bool_)


def _outermost(trace: Trace, rows: I64) -> I64:
    """Of these operators those that lie in no other of them on their thread, in the order of their start."""
    spans = trace.cpu_ops
    found = [own[outermost(spans.start_ns[own], spans.end_ns[own])] for own in _by_thread(trace, rows)]
    every = int64(np.concatenate(found)) if found else int64([])
    return every[np.argsort(spans.start_ns[every], kind="stable")]


def _by_thread(trace: Trace, rows: I64) -> list[I64]:
    thread = trace.cpu_ops.thread[rows]
    return [rows[thread == number] for number in distinct(thread)]


def _working(trace: Trace, works: Bools) -> I64:
    """Operators of these threads in which nobody asks for a collective or waits for one."""
    spans = trace.cpu_ops
    waiting = _named(trace, *WAITING)[spans.name]
    found = []
    for own in _by_thread(trace, np.flatnonzero(works[spans.thread])):
        starts = np.sort(spans.start_ns[own[waiting[own]]])
        begin, end = np.searchsorted(starts, spans.start_ns[own]), np.searchsorted(starts, spans.end_ns[own])
        found.append(own[(begin == end) & ~waiting[own]])
    return int64(np.concatenate(found)) if found else int64([])


def _askers(trace: Trace, collective: I64, asking: I64) -> I64:
    """The operator that asked for each collective; UNKNOWN_OP of a kind of which there are not as many of both."""
    found = np.full(len(collective), UNKNOWN_OP, dtype=np.int64)
    spans, marks = trace.cpu_ops, trace.ranges
    of_mark = [_kind(trace.strings[name]) for name in marks.name[collective].tolist()]
    of_operator = [_kind(trace.strings[name]) for name in spans.name[asking].tolist()]
    for kind in set(of_mark):
        rows = int64([place for place, one in enumerate(of_mark) if one == kind])
        askers = asking[int64([place for place, one in enumerate(of_operator) if one == kind])]
        if len(askers) == len(rows) and (spans.start_ns[askers] <= marks.start_ns[collective[rows]]).all():
            found[rows] = askers
    return found


def _of_requests(trace: Trace, ranges: StageRanges, collective: I64, asker: I64) -> tuple[I64, I64]:
    """Of a recording of ours without the collectives by which its ranks meet before each request."""
    if trace.manifest is None or not len(ranges.request_start_ns):
        return collective, asker
    open_ = Cover.of(ranges.request_start_ns, ranges.request_end_ns)
    kept = asker == UNKNOWN_OP
    asked_ns = trace.cpu_ops.start_ns[asker[~kept]]
    kept[~kept] = open_.within(asked_ns, asked_ns + 1) > 0
    return collective[kept], asker[kept]


def _kind(name: str) -> str:
    flat = name.rpartition(":")[2].lower().replace("_", "")
    return next((kind for kind in _KINDS if kind in flat), flat)

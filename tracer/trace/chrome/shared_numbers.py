"""Which of several processes launched what, where they number their launches alike and their devices and streams too.

Ranks that were joined in one file may. As many ops as calls bear a number then (as many times a graph's), and each call
launched one of them. An op that begins before another process's call is not that one's. What one process asks of one
stream runs in its order, one after the other: of two ways to share two ops out often one alone leaves that so. Where
both do, ops began in the order of their calls if all others did; else nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from tracer.arrays import rows_of_each

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracer.arrays import I64
    from tracer.trace.columns import DeviceOps

_NEVER, _BEFORE_ALL = (1 << 63) - 1, -(1 << 63)
# So often the numbers are gone through, there and back, for what the last time has told.
MOST_ROUNDS = 8
# By process and stream.
Lanes: TypeAlias = "dict[tuple[int, int], tuple[I64, I64]]"


class Span(NamedTuple):
    """When part of a number ran, and on which stream."""

    stream: int
    start_ns: int
    end_ns: int


@dataclass(slots=True)
class Shared:
    """A number that several processes launched by.

    Attributes:
        processes: in the order of their calls.
        asked_ns: when they called.
        parts: the ops of each, if they began in that order.
        spans: on which stream the parts ran, and from when to when.
        settled: whether it is known whose they are.
        swapped: whether they are the other way round.
    """

    processes: list[int]
    asked_ns: list[int]
    parts: list[I64]
    spans: list[Span]
    settled: bool = False
    swapped: bool = False

    def owners(self, *, swapped: bool) -> Iterator[tuple[int, Span]]:
        """Each process and when its part ran."""
        yield from zip(self.processes[:: -1 if swapped else 1], self.spans, strict=True)


@dataclass(slots=True)
class Settled:
    """Whose the ops are.

    Attributes:
        process: of each op of a shared number; by the order of the calls where nothing tells.
        untold: ops of which nothing tells it.
    """

    process: dict[int, int] = field(default_factory=dict)
    untold: list[int] = field(default_factory=list)


def keep_order(ops: DeviceOps, rows: I64, process: I64, alone: I64) -> bool:
    """Whether all streams keep their order, one op after the other, if ops began in the order of their calls.

    Then nothing tells against that, and nothing else need be looked at; most files are so.

    Args:
        ops: of the file.
        rows: those of shared numbers, by these.
        process: that launched each, if so.
        alone: see `share_out`.
    """
    place = np.append(np.arange(len(rows)), np.full(int((alone >= 0).sum()), -1))
    rows, process = np.append(rows, np.flatnonzero(alone >= 0)), np.append(process, alone[alone >= 0])
    lanes = np.lexsort((ops.start_ns[rows], ops.stream[rows], process))
    same = (np.diff(process[lanes]) == 0) & (np.diff(ops.stream[rows[lanes]]) == 0)
    if (same & (ops.start_ns[rows[lanes[1:]]] < ops.end_ns[rows[lanes[:-1]]])).any():
        return False
    lanes = lanes[place[lanes] >= 0]
    same = (np.diff(process[lanes]) == 0) & (np.diff(ops.stream[rows[lanes]]) == 0)
    return not (same & (np.diff(place[lanes]) < 0)).any()


def share_out(ops: DeviceOps, numbers: Sequence[tuple[I64, list[int], list[int]]], alone: I64) -> Settled:
    """Find out whose they are.

    Args:
        ops: of the file.
        numbers: of each shared number its ops as they began, the processes that called, and when; in ascending order.
        alone: of each op the one process that launched it; -1 of those of shared numbers, and where nothing tells.
    """
    found, shared = Settled(), []
    for own, processes, asked_ns in numbers:
        parts = _parts(ops, own, len(processes))
        if parts is None:
            found.untold += own.tolist()
            found.process.update(_in_turns(ops, own, processes))
            continue
        shared.append(_shared(ops, processes, asked_ns, parts))
    _settle(shared, _lanes(ops, alone))
    in_step = not any(one.settled and one.swapped for one in shared)
    for one in shared:
        owners = [process for process, _ in one.owners(swapped=one.swapped)]
        for process, part in zip(owners, one.parts, strict=True):
            found.process.update(dict.fromkeys(part.tolist(), process))
        if not (one.settled or in_step):
            found.untold += np.concatenate(one.parts).tolist()
    return found


def _parts(ops: DeviceOps, own: I64, callers: int) -> list[I64] | None:
    """The ops of a number in as many parts as it has callers; None where replays of a graph run into one another."""
    size = len(own) // callers
    parts = [own[at : at + size] for at in range(0, len(own), size)]
    if len(own) == callers:
        return parts
    alike = all(np.array_equal(ops.name[part], ops.name[parts[0]]) for part in parts)
    ends = [ops.end_ns[part].max() for part in parts[:-1]]
    behind = all(end <= ops.start_ns[part[0]] for end, part in zip(ends, parts[1:], strict=True))
    return parts if alike and behind else None


def _in_turns(ops: DeviceOps, own: I64, processes: list[int]) -> dict[int, int]:
    """Ops of one name to each process in turns, as they began, so that replays of a graph at least do not overlap."""
    seen: dict[int, int] = {}
    found = {}
    for row, name in zip(own.tolist(), ops.name[own].tolist(), strict=True):
        seen[name] = seen.get(name, -1) + 1
        found[row] = processes[seen[name] % len(processes)]
    return found


def _shared(ops: DeviceOps, processes: list[int], asked_ns: list[int], parts: list[I64]) -> Shared:
    spans = [Span(int(ops.stream[part[0]]), int(ops.start_ns[part[0]]), int(ops.end_ns[part].max())) for part in parts]
    forced = all(span.start_ns < asked for span, asked in zip(spans, asked_ns[1:], strict=False))
    return Shared(processes, asked_ns, parts, spans, settled=forced)


def _lanes(ops: DeviceOps, alone: I64) -> Lanes:
    """Of each process and stream when what it alone launched there began, in order, and how far all of it reached."""
    known = np.flatnonzero(alone >= 0)
    lanes = {}
    for process, places in rows_of_each(alone[known]):
        own = known[places]
        for stream, on_stream in rows_of_each(ops.stream[own]):
            rows = own[on_stream]
            rows = rows[np.argsort(ops.start_ns[rows], kind="stable")]
            lanes[process, stream] = ops.start_ns[rows], np.maximum.accumulate(ops.end_ns[rows])
    return lanes


def _settle(shared: list[Shared], lanes: Lanes) -> None:
    """Go through the numbers, there and back, until nothing more is told."""
    for _ in range(MOST_ROUNDS):
        before = sum(one.settled for one in shared)
        _sweep(shared, lanes, back=False)
        _sweep(shared, lanes, back=True)
        if sum(one.settled for one in shared) in (before, len(shared)):
            return


def _sweep(shared: list[Shared], lanes: Lanes, *, back: bool) -> None:
    """Settle what fits one way alone, given what ran before it on its process's stream (behind it, if `back`)."""
    reached: dict[tuple[int, int], int] = {}
    for one in reversed(shared) if back else shared:
        if not one.settled and len(one.parts) == 2:
            fits = [
                all(_fits(process, span, reached, lanes, back=back) for process, span in one.owners(swapped=swapped))
                for swapped in (False, True)
            ]
            if fits[0] != fits[1]:
                one.settled, one.swapped = True, fits[1]
        if one.settled:
            for process, (stream, start_ns, end_ns) in one.owners(swapped=one.swapped):
                known = reached.get((process, stream), _NEVER if back else _BEFORE_ALL)
                reached[process, stream] = min(known, start_ns) if back else max(known, end_ns)


def _fits(process: int, span: Span, reached: dict[tuple[int, int], int], lanes: Lanes, *, back: bool) -> bool:
    """Whether a process may have run this, by what it ran before (behind), and what else it ran meanwhile."""
    key = process, span.stream
    if back and span.end_ns > reached.get(key, _NEVER):
        return False
    if not back and span.start_ns < reached.get(key, _BEFORE_ALL):
        return False
    if key not in lanes:
        return True
    starts_ns, reach_ns = lanes[key]
    place = int(starts_ns.searchsorted(span.end_ns))
    return place == 0 or int(reach_ns[place - 1]) <= span.start_ns

"""Each collective's time divided: waiting for the last rank to arrive, and the transfer after that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import Cover

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.arrays import I64
    from tracer.ranks.matched import Matched
    from tracer.ranks.rank import RankTrace

NOT_MATCHED = -1


@dataclass(frozen=True, slots=True)
class Divided:
    """One rank's ops; nanoseconds.

    Attributes:
        wait_ns, transfer_ns: of each matched collective, which add up to its duration; of all else NOT_MATCHED.
        exposed_ns: of each collective, while no op but collectives ran; 0 of all else.
        exposed_wait_ns: of `wait_ns` the same.
        compute: when anything but a collective ran.
        all: when anything ran.
    """

    wait_ns: I64
    transfer_ns: I64
    exposed_ns: I64
    exposed_wait_ns: I64
    compute: Cover
    all: Cover


def waits(group: Matched) -> I64:
    """How long each rank waits in each collective: a matrix as the group's."""
    arrived = group.start_ns.max(axis=0)
    return int64(np.clip(arrived - group.start_ns, 0, group.end_ns - group.start_ns))


def divide(traces: Mapping[int, RankTrace], groups: Sequence[Matched]) -> dict[int, Divided]:
    """Divide every rank's collectives; clocks are aligned already."""
    wait_ns = {rank: np.full(len(trace.start_ns), NOT_MATCHED, dtype=np.int64) for rank, trace in traces.items()}
    for group in groups:
        waited = waits(group)
        for row, rank in enumerate(group.ranks):
            wait_ns[rank][group.op[row]] = waited[row]
    return {rank: _of(trace, wait_ns[rank]) for rank, trace in traces.items()}


def _of(trace: RankTrace, wait_ns: I64) -> Divided:
    start, end = trace.start_ns, trace.end_ns
    matched, collective = wait_ns >= 0, trace.kind >= 0
    compute = Cover.of(start[~collective], end[~collective])
    exposed = end - start - compute.within(start, end)
    waited_until = start + np.maximum(wait_ns, 0)
    exposed_wait = waited_until - start - compute.within(start, waited_until)
    return Divided(
        wait_ns=wait_ns,
        transfer_ns=int64(np.where(matched, end - start - wait_ns, NOT_MATCHED)),
        exposed_ns=int64(np.where(collective, exposed, 0)),
        exposed_wait_ns=int64(np.where(matched, exposed_wait, 0)),
        compute=compute,
        all=Cover.of(start, end),
    )

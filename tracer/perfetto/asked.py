"""Which stage ranges of a trace a person asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import Nest, distinct
from tracer.document.errors import InputError
from tracer.document.names import ALL_STAGES, DECODE, PREFILL

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.charge.stages.ranges import StageRanges

_PREFILL, _DECODE = ALL_STAGES.index(PREFILL), ALL_STAGES.index(DECODE)


@dataclass(frozen=True, slots=True)
class Asked:
    """What to cut out: all that fits each of these that is given.

    Attributes:
        request: of this number.
        tokens: decode steps from the first up to the second, which is left out. Token 0 is prefill's.
        stages: of these names.
    """

    request: int | None = None
    tokens: tuple[int, int] | None = None
    stages: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The same in words."""
        said = [] if self.request is None else [f"request {self.request}"]
        said += [] if self.tokens is None else [f"tokens {self.tokens[0]}:{self.tokens[1]}"]
        return ", ".join([*said, *self.stages])


def choose(ranges: StageRanges, asked: Asked) -> Bools:
    """Which of the ranges these are.

    Raises:
        InputError: there are no stages, or none of these.
    """
    if not len(ranges):
        raise InputError("no stages in it, by which a part could be told")
    chosen = np.ones(len(ranges), dtype=np.bool_)
    if asked.request is not None:
        chosen &= _of_request(ranges, asked.request)
    if asked.tokens is not None:
        first, stop = asked.tokens
        step = (ranges.stage == _DECODE) & (ranges.index >= first) & (ranges.index < stop)
        chosen &= step | ((ranges.stage == _PREFILL) & (first <= 0 < stop))
    if asked.stages:
        chosen &= np.isin(ranges.stage, [ALL_STAGES.index(stage) for stage in asked.stages])
    if not chosen.any():
        raise InputError(f"nothing in it is {asked.words}; {_there_are(ranges)}")
    return chosen


def _of_request(ranges: StageRanges, request: int) -> Bools:
    """The ranges of a request, and those of no request that begin while it is open."""
    own = np.asarray(ranges.request == request, dtype=np.bool_)
    if not own.any():
        return own
    place = Nest.of(ranges.request_start_ns, ranges.request_end_ns).innermost(ranges.start_ns[own])
    inside = np.zeros(len(ranges), dtype=np.bool_)
    for number in distinct(place[place >= 0]):
        start, end = ranges.request_start_ns[number], ranges.request_end_ns[number]
        inside |= (ranges.start_ns >= start) & (ranges.start_ns < end)
    return np.asarray(own | (inside & (ranges.request < 0)), dtype=np.bool_)


def _there_are(ranges: StageRanges) -> str:
    """What could be asked for."""
    requests = [number for number in distinct(ranges.request) if number >= 0]
    steps = ranges.index[(ranges.stage == _DECODE) & (ranges.index >= 0)]
    said = [f"requests {_span(requests)}" if requests else "no numbered requests"]
    said += [f"decode steps {_span(distinct(int64(steps)))}"] if len(steps) else []
    return "there are " + ", ".join([*said, *(ALL_STAGES[code] for code in distinct(ranges.stage))])


def _span(numbers: list[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def with_inner(ranges: StageRanges, chosen: Bools) -> Bools:
    """The chosen ranges, and all that begin inside one on its thread: what these hold is not the outer one's."""
    chosen = chosen.copy()
    for thread in distinct(ranges.thread):
        rows = np.flatnonzero(ranges.thread == thread)
        rows = rows[np.lexsort((-ranges.end_ns[rows], ranges.start_ns[rows]))]
        reach = np.iinfo(np.int64).min
        for row in rows.tolist():
            chosen[row] |= ranges.start_ns[row] < reach
            if chosen[row]:
                reach = max(reach, int(ranges.end_ns[row]))
    return chosen


def rows_of(chosen: Bools) -> I64:
    """The chosen rows, in their order."""
    return int64(np.flatnonzero(chosen))

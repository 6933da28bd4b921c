"""The text of track events, from behind the phase's key on: each file spells and lays out that in its own way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.arrays import int64
from tracer.trace.chrome.tracks import CATEGORY, PROCESS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.arrays import I64

# Far in front of whatever number a profiler gives its processes.
FIRST = -1_000_000_000
NAME = "tracer"
# Between the numbers of our processes, where there are several: room for their threads.
APART = 1000
# A double holds whole nanoseconds up to here.
EXACT_NS = 1 << 53


@dataclass(frozen=True, slots=True)
class Process:
    """A process of ours: the tracks of one trace.

    Attributes:
        name: as people see it.
        place: among ours, from 0; in front of all others.
        later_ns: added to every time, where the file has another clock than the trace that the tracks were made of.
    """

    name: str = NAME
    place: int = 0
    later_ns: int = 0

    @property
    def number(self) -> int:
        """Its id; its threads' are the next ones."""
        return PROCESS + APART * self.place

    def names(self) -> Iterator[str]:
        """The events that name it and put it in its place."""
        head = f'"pid": {self.number}, "tid": {self.number}'
        yield _metadata("process_name", head, {"name": self.name})
        yield _metadata("process_sort_index", head, {"sort_index": FIRST + self.place})


OURS = Process()


@dataclass(frozen=True, slots=True)
class Thread:
    """A track of slices: a thread of our process.

    Attributes:
        name: as people see it.
        place: among the others, from 1.
        process: whose it is.
    """

    name: str
    place: int
    process: Process = OURS

    @property
    def head(self) -> str:
        """The keys that its events share."""
        return f'"pid": {self.process.number}, "tid": {self.process.number + self.place}'

    def names(self) -> Iterator[str]:
        """The events that name it and put it in its place."""
        yield _metadata("thread_name", self.head, {"name": self.name})
        yield _metadata("thread_sort_index", self.head, {"sort_index": self.place})


def _metadata(name: str, head: str, args: dict[str, Any]) -> str:
    return f' "M", "cat": "{CATEGORY}", "name": "{name}", {head}, "args": {text(args)}'


def text(value: Any) -> str:
    """A value as JSON on one line and in ASCII; whatever is in a name, it stays inside its quotes."""
    return json.dumps(value)


def slices(thread: Thread, names: list[str], start_ns: I64, end_ns: I64, args: list[str]) -> Iterator[str]:
    """Complete events.

    Of a file whose times are beyond a double's precision, as those since 1970 are, a slice may be drawn a fraction of a
    microsecond short: where Perfetto rounds its start up, and the next one's down, they must not overlap.

    Args:
        thread: their track.
        names: of each, as JSON.
        start_ns, end_ns: of each.
        args: of each, as JSON.
    """
    start_ns, end_ns = start_ns + thread.process.later_ns, end_ns + thread.process.later_ns
    starts, drawn_ns = microseconds(start_ns), end_ns - start_ns
    if len(start_ns) and max(abs(int(start_ns.min())), abs(int(end_ns.max()))) >= EXACT_NS:
        rounded_ns = _rounded(microseconds(end_ns)) - _rounded(starts)
        drawn_ns = int64(np.minimum(drawn_ns, rounded_ns))
    columns = zip(names, starts, microseconds(drawn_ns), args, strict=True)
    head = f' "X", "cat": "{CATEGORY}", {thread.head}, "name": '
    for name, start, duration, own in columns:
        yield f'{head}{name}, "ts": {start}, "dur": {duration}, "args": {own}'


def _rounded(times: list[str]) -> I64:
    """Nanoseconds as Perfetto reads these microseconds: through a double, twice unless that is whole. Order stays."""
    values = map(float, times)
    return int64([int(value) * 1000 if value.is_integer() else round(value * 1000) for value in values])


def instant(thread: Thread, name: str, time_ns: int, args: dict[str, Any]) -> str:
    """An event without a duration."""
    head = f' "i", "s": "t", "cat": "{CATEGORY}", {thread.head}, "name": {text(name)}'
    return f'{head}, "ts": {microsecond(time_ns + thread.process.later_ns)}, "args": {text(args)}'


def counter(
    name: str, key: str, times_ns: I64, values: list[int] | list[float], process: Process = OURS
) -> Iterator[str]:
    """The values of a counter, each where it changes."""
    head = f' "C", "cat": "{CATEGORY}", "pid": {process.number}, "name": {text(name)}, "ts": '
    before: float | None = None
    for time, value in zip(microseconds(times_ns + process.later_ns), values, strict=True):
        if value != before:
            yield f"{head}{time}, " + f'"args": {{{text(key)}: {value}}}'
        before = value


def microseconds(times_ns: I64) -> list[str]:
    """Nanoseconds as a trace writes them, exactly."""
    return [microsecond(time) for time in times_ns.tolist()]


def microsecond(time_ns: int) -> str:
    """Nanoseconds as decimal microseconds.

    >>> microsecond(4550342860317427), microsecond(-1)
    ('4550342860317.427', '-0.001')
    """
    return f"{time_ns // 1000}.{time_ns % 1000:03}" if time_ns >= 0 else f"-{microsecond(-time_ns)}"

"""From events to columns."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tracer.times import microseconds_to_ns
from tracer.trace.chrome.events import (
    CALL_CATEGORIES,
    CAPTURE_CATEGORY,
    CPU_OP_CATEGORIES,
    OP_KINDS,
    RANGE_CATEGORIES,
    Args,
    Event,
)
from tracer.trace.columns import (
    I64,
    NO_CORRELATION,
    DeviceOps,
    HostCalls,
    OpKind,
    Spans,
    Want,
    int8,
    int32,
    int64,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_TRAILING_NUMBER = re.compile(r"(\d{1,18})\D*$")
_NO_ARGS = Args()
# No single event lasts three months; a duration beyond is damage, and sums of it would leave 64 bits.
LONGEST_NS = 1 << 53


class BadEventError(ValueError):
    """An event that cannot be used; the message is the kind of damage, the same for all of its kind."""


class Builder:
    """Collects the wanted events and turns them into columns.

    One bad event never costs the good ones beside it: it is left out and counted in `skipped`.
    """

    def __init__(self, want: Want) -> None:
        self.want = want
        self.events = 0
        self.strings: list[str] = []
        self.threads: list[tuple[str, str]] = []
        self.skipped: Counter[str] = Counter()
        self._names: dict[str, int] = {}
        self._thread_ids: dict[tuple[bytes, bytes], int] = {}
        self._ops: list[tuple[int, int, int, int, int, int, int, int]] = []
        self._calls: list[tuple[int, int, int, int, int]] = []
        self._ranges: list[tuple[int, int, int, int]] = []
        self._cpu_ops: list[tuple[int, int, int, int]] = []
        self._captures: list[tuple[int, int]] = []

    def add(self, events: Iterable[Event]) -> None:
        """Take in events of any category."""
        for event in events:
            self.events += 1
            if event.ph != "X":
                continue
            try:
                self._add(event)
            except BadEventError as error:
                self.skipped[str(error)] += 1

    def _add(self, event: Event) -> None:
        category = event.cat
        if (kind := OP_KINDS.get(category)) is not None:
            if self.want & Want.OPS:
                self._add_op(event, kind)
        elif category in CALL_CATEGORIES:
            if self.want & Want.CALLS:
                start, end = _interval(event)
                args = event.args or _NO_ARGS
                self._calls.append((start, end, self._name(event.name), self._thread(event), _correlation(args)))
        elif category in RANGE_CATEGORIES:
            if self.want & Want.RANGES:
                self._ranges.append((*_interval(event), self._name(event.name), self._thread(event)))
        elif category in CPU_OP_CATEGORIES:
            if self.want & Want.CPU_OPS:
                self._cpu_ops.append((*_interval(event), self._name(event.name), self._thread(event)))
        elif category == CAPTURE_CATEGORY:
            self._captures.append(_interval(event))

    def _add_op(self, event: Event, kind: OpKind) -> None:
        args = event.args or _NO_ARGS
        start, end = _interval(event)
        self._ops.append(
            (
                start,
                end,
                self._name(event.name),
                kind,
                _id(args.device, event.pid),
                _id(args.stream, event.tid),
                _correlation(args),
                _integer(bytes(args.bytes), 0),
            )
        )

    def _name(self, name: str) -> int:
        index = self._names.get(name)
        if index is None:
            index = self._names[name] = len(self.strings)
            self.strings.append(name)
        return index

    def _thread(self, event: Event) -> int:
        key = bytes(event.pid), bytes(event.tid)
        index = self._thread_ids.get(key)
        if index is None:
            thread = _text(key[0]), _text(key[1])
            # The same id may be written as a number here and as a string there.
            index = self.threads.index(thread) if thread in self.threads else len(self.threads)
            if index == len(self.threads):
                self.threads.append(thread)
            self._thread_ids[key] = index
        return index

    def ops(self) -> DeviceOps:
        """The device ops, in the order of the file."""
        start, end, name, kind, device, stream, correlation, size = _columns(self._ops, 8)
        return DeviceOps(start, end, int32(name), int8(kind), device, stream, correlation, size_bytes=size)

    def calls(self) -> HostCalls:
        """The host calls, in the order of the file."""
        start, end, name, thread, correlation = _columns(self._calls, 5)
        return HostCalls(start, end, int32(name), int32(thread), correlation)

    def ranges(self) -> Spans:
        """The annotations, in the order of the file."""
        return _spans(self._ranges)

    def cpu_ops(self) -> Spans:
        """The CPU operators, in the order of the file."""
        return _spans(self._cpu_ops)

    def captures(self) -> I64:
        """Start of each interval in which a profiler was on; overlapping ones (several ranks) are one."""
        starts: list[int] = []
        reach = None
        for start, end in sorted(self._captures):
            if reach is None or start >= reach:
                starts.append(start)
            reach = end if reach is None else max(reach, end)
        return int64(starts)

    def warnings(self) -> list[str]:
        """What was left out, in words."""
        return [f"{count:,} events left out: {reason}" for reason, count in self.skipped.most_common()]


def _columns(rows: Sequence[tuple[int, ...]], width: int) -> list[I64]:
    table = np.array(rows, dtype=np.int64).reshape(len(rows), width)
    return [np.ascontiguousarray(column) for column in table.T]


def _spans(rows: list[tuple[int, int, int, int]]) -> Spans:
    start, end, name, thread = _columns(rows, 4)
    return Spans(start, end, int32(name), int32(thread))


def _interval(event: Event) -> tuple[int, int]:
    start = _time(event.ts, "no usable timestamp")
    duration = _time(event.dur, "no usable duration")
    if duration < 0:
        raise BadEventError("negative duration")
    if duration > LONGEST_NS:
        raise BadEventError("duration of more than three months")
    return start, start + duration


def _time(raw: msgspec.Raw, reason: str) -> int:
    try:
        return microseconds_to_ns(_text(bytes(raw)))
    except ValueError:
        raise BadEventError(reason) from None


def _text(raw: bytes) -> str:
    """A JSON number or string as text."""
    if raw[:1] == b'"':
        return str(msgspec.json.decode(raw))
    return raw.decode()


def _integer(raw: bytes, default: int) -> int:
    """A whole number that may be written as a string, or the default."""
    try:
        value = int(_text(raw))
    except ValueError:
        return default
    return value if -(1 << 62) < value < 1 << 62 else default


def _correlation(args: Args) -> int:
    value = _integer(bytes(args.correlation), NO_CORRELATION)
    return value if value > 0 else NO_CORRELATION


def _id(raw: msgspec.Raw, fallback: msgspec.Raw) -> int:
    """A device or stream id; old traces hide it in text such as "stream 7"."""
    for candidate in (raw, fallback):
        match = _TRAILING_NUMBER.search(_text(bytes(candidate)))
        if match is not None:
            return int(match[1])
    return -1

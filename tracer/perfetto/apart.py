"""The events of one rank as they stand in a file of all: processes and ids kept apart, times on the file's clock.

A process is called `[rank 3] 830`, as those who join ranks in one file do; the reader gives each rank a device by that.
Numbers that join one event to another (arrows, correlations, external ids) get the rank's place above their 40 lowest
bits: profilers count them from 1 on. Nothing else of an event is changed, and no digit of a time is lost.
"""

from __future__ import annotations

from decimal import Decimal, DecimalException
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from tracer.trace.chrome.events import NO_ID, UNREADABLE, text_of
from tracer.trace.chrome.repair import repair
from tracer.trace.chrome.tracks import CATEGORY, PROCESS
from tracer.trace.columns import NO_CORRELATION

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tracer.trace.chrome.events import Event

Fields: TypeAlias = dict[str, msgspec.Raw]

ID_BITS = 40
JOINING = ("correlation", "External id", "external id")
_JOINING_END = b"orrelation", b"xternal id"
_SORTED, _OWN = b'"process_sort_index"', f'"{CATEGORY}"'.encode()
# Profilers give a process of 2 ** 29 the last place; beyond 2 ** 31 in all some viewers do not count.
_PLACES, _MOST = 1 << 31, 1 << 24
# Of a time, before its point: more than any reader takes, which written out might be millions.
_DIGITS = 30

_decode = msgspec.json.Decoder(Fields).decode
_decode_all = msgspec.json.Decoder(list[Fields]).decode
_encode = msgspec.json.Encoder().encode


class Apart:
    """Rewrites the events of one rank.

    Attributes:
        events: how many.
        left_out: texts that are no event, not even read off its keys.
    """

    def __init__(self, rank: int, place: int, ranks: int, later_ns: int, odd_ids: Collection[int] = ()) -> None:
        """Begin.

        Args:
            rank: its number.
            place: among the ranks, from 0.
            ranks: how many there are.
            later_ns: added to its times.
            odd_ids: correlations below 1 that join something, where others mean that there is none.
        """
        self.events = self.left_out = 0
        self._name = f"[rank {rank}] "
        self._above = place << ID_BITS
        self._later = Decimal(later_ns) / 1000
        self._odd = odd_ids
        self._span = min(_MOST, _PLACES // max(1, ranks))
        self._first = place * self._span
        self._pids: dict[bytes, msgspec.Raw] = {}

    def all_of(self, text: bytes) -> list[bytes]:
        """The events of a text, separated by commas.

        Raises:
            ValueError, RecursionError: it is no JSON.
        """
        return self._rewritten(_decode_all(b"[" + text + b"]"))

    def each_of(self, pieces: Iterable[bytes]) -> list[bytes]:
        """The events of these texts; one that is not JSON is read off its keys."""
        events = [self._alone(piece) for piece in pieces]
        self.left_out += events.count(None)
        return self._rewritten([event for event in events if event is not None])

    def _alone(self, piece: bytes) -> Fields | None:
        try:
            return _decode(piece)
        except UNREADABLE:
            event = repair(piece)
        return None if event is None else _fields(event)

    def _rewritten(self, events: list[Fields]) -> list[bytes]:
        """The texts of events, without tracer's own tracks."""
        theirs = [event for event in events if not _is_own(event)]
        self.events += len(theirs)
        return [self._event(event) for event in theirs]

    def _event(self, event: Fields) -> bytes:
        pid = bytes(event.get("pid", b""))
        event["pid"] = self._pids.get(pid) or self._pid(pid)
        if self._later and (time := event.get("ts")) is not None:
            event["ts"] = self._moved(time)
        for key in ("id", "bind_id"):
            if (number := event.get(key)) is not None:
                event[key] = self._id(number, 0)
        if (scoped := event.get("id2")) is not None:
            event["id2"] = self._with_ids(scoped, ("local", "global"), 0)
        if (args := event.get("args")) is not None:
            text = bytes(args)
            if any(end in text for end in _JOINING_END):
                event["args"] = self._with_ids(args, JOINING, 1)
            elif bytes(event.get("name", b"")) == _SORTED:
                event["args"] = self._sorted(args)
        return _encode(event)

    def _pid(self, pid: bytes) -> msgspec.Raw:
        found = self._pids[pid] = msgspec.Raw(_encode(self._name + text_of(msgspec.Raw(pid))))
        return found

    def _moved(self, time: msgspec.Raw) -> msgspec.Raw:
        try:
            moved = Decimal(text_of(time)) + self._later
        except DecimalException:
            return time  # no number, which no reader takes for a time either
        return msgspec.Raw(f"{moved:f}".encode()) if moved.is_finite() and moved.adjusted() < _DIGITS else time

    def _with_ids(self, raw: msgspec.Raw, keys: Iterable[str], least: int) -> msgspec.Raw:
        try:
            fields = _decode(raw)
        except UNREADABLE:
            return raw
        for key in keys:
            if (number := fields.get(key)) is not None:
                fields[key] = self._id(number, least)
        return msgspec.Raw(_encode(fields))

    def _id(self, raw: msgspec.Raw, least: int) -> msgspec.Raw:
        """What other events of the rank bear too: a number, or a text that the rank's name is put before."""
        text = text_of(raw)
        if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 20):
            return msgspec.Raw(_encode(self._name + text)) if bytes(raw)[:1] == b'"' else raw
        number = int(text)
        if not least <= number < 1 << ID_BITS and number not in self._odd:
            return raw
        return msgspec.Raw(b"%d" % (number + self._above))

    def _sorted(self, raw: msgspec.Raw) -> msgspec.Raw:
        """Processes of a rank stand together, in their order."""
        try:
            place = msgspec.json.decode(raw, type=dict[str, int])["sort_index"]
        except (*UNREADABLE, KeyError):
            return raw
        return msgspec.Raw(_encode({"sort_index": self._first + min(max(place, 0), self._span - 1)}))


def _is_own(event: Fields) -> bool:
    """Whether it is of tracks that tracer put into the rank's file; the file of all has its own."""
    return bytes(event.get("cat", b"")) == _OWN and _number(event.get("pid")) >= PROCESS


def _number(raw: msgspec.Raw | None) -> int:
    text = b"" if raw is None else bytes(raw)
    return int(text) if text.isdigit() and len(text) <= 20 else -1


def _fields(event: Event) -> Fields:
    """What was read off an event's keys."""
    args = event.args
    kept: dict[str, object] = {} if args is None else {
        key: value
        for key, value, absent in (
            ("correlation", args.correlation, NO_CORRELATION),
            ("device", args.device, NO_ID),
            ("stream", args.stream, NO_ID),
            ("bytes", args.bytes, 0),
        )
        if value != absent
    }  # fmt: skip
    texts = {"ph": event.ph, "cat": event.cat, "name": event.name, "pid": event.pid, "tid": event.tid, "id": event.id}
    fields = {key: msgspec.Raw(_encode(value)) for key, value in texts.items() if value != ""}
    fields |= {key: raw for key, raw in (("ts", event.ts), ("dur", event.dur)) if bytes(raw)}
    return fields | ({"args": msgspec.Raw(_encode(kept))} if kept else {})

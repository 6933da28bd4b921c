"""Reading a Chrome trace as one document: any layout, valid JSON or not.

Slower and larger than scanning, and with the same result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tracer.document.errors import InputError
from tracer.trace.chrome.collector import Collector
from tracer.trace.chrome.events import UNREADABLE, Decoders, Event, decoders, end_of_value
from tracer.trace.chrome.pairs import join_pairs
from tracer.trace.chrome.repair import repair
from tracer.trace.foreign import of_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer.trace.columns import Want

# So much of a text is looked at for the end of a list that is no trace's.
LONGEST_LIST = 1 << 16
_LIST = re.compile(rb'"traceEvents"\s*:\s*\[|\A\s*\[')
# Where an event begins in text that may not be JSON: behind the list's bracket or a comma.
_HEAD = re.compile(rb'(?:(?<=\[)|,)\s*(?=\{\s*"(?:ph|name|cat|pid|tid|ts|args|id|s|dur|bp)"\s*:)')
# Where a damaged last event may end: at the list's bracket, with nothing or a key of the document behind it.
_LAST = re.compile(rb'\}(?=\s*\]\s*+(?:(?:\}\s*)?\Z|,\s*"))')


class _Untyped(msgspec.Struct):
    traceEvents: list[msgspec.Raw]  # noqa: N815 -- the JSON's own name


@dataclass(frozen=True, slots=True)
class Document:
    """A trace read as one document.

    Attributes:
        collector: the wanted events.
        events: events in the list, usable or not.
        metadata: texts in which to look for metadata.
        lost_bytes: how much of a torn last event was left; None if the document is whole.
    """

    collector: Collector
    events: int
    metadata: tuple[bytes, ...]
    lost_bytes: int | None = None


def read_document(name: str, data: bytes, want: Want) -> Document:
    """Read a Chrome trace, an object with `traceEvents` or a bare list of events.

    Raises:
        InputError: the content is not a Chrome trace.
    """
    try:
        return _typed(data, want)
    except msgspec.ValidationError as error:
        return _one_by_one(name, data, want, str(error))
    except UNREADABLE as error:
        return _torn_or_damaged(name, data, want, error)


def _typed(data: bytes, want: Want) -> Document:
    is_list = data[:64].lstrip()[:1] == b"["
    decode = decoders(want)
    events = decode.events(data) if is_list else decode.document(data)
    return _collected(events, len(events), want, () if is_list else (data,))


def _one_by_one(name: str, data: bytes, want: Want, reason: str) -> Document:
    """JSON, but some event has a value of another type: the good ones are still read."""
    try:
        if data[:64].lstrip()[:1] == b"[":
            texts = msgspec.json.decode(data, type=list[msgspec.Raw])
        else:
            texts = msgspec.json.decode(data, type=_Untyped).traceEvents
    except msgspec.ValidationError:
        raise InputError(f"{name}: {_no_trace(data, reason)}") from None
    except UNREADABLE as error:
        return _torn_or_damaged(name, data, want, error)
    decode = decoders(want)
    events = [_decode(bytes(text), decode) for text in texts]
    if texts and not any(events):
        raise InputError(f"{name}: {_no_trace(data, reason)}")
    return _collected(events, len(texts), want, (data,))


def _no_trace(data: bytes, reason: str) -> str:
    told = of_json(data)
    return f"JSON, but not a Chrome trace ({told or reason})"


def _torn_or_damaged(name: str, data: bytes, want: Want, error: Exception) -> Document:
    """No JSON as a whole: cut at the heads of events and read each by itself."""
    opening = _LIST.search(data)
    heads = _heads(data, opening.end()) if opening else []
    if opening is None or not heads:
        raise InputError(f"{name}: not JSON ({str(error).splitlines()[0]})")
    bounds = [*heads, len(data)]
    pieces = [data[low:high].rstrip(b", \t\r\n") for low, high in zip(heads, bounds[1:], strict=True)]
    decode = decoders(want)
    last, tail = _split_last(pieces[-1], decode)
    events = [_decode(piece, decode) for piece in (*pieces[:-1], *last)]
    if not any(events):
        raise InputError(f"{name}: not JSON ({str(error).splitlines()[0]})")
    if not tail.startswith(b"]"):
        return _collected(events, len(events), want, (data[: opening.end()] + b"]}",), len(tail))
    metadata = (data[: opening.end()] + b"]}", b'{"traceEvents": [' + tail)
    return _collected(events, len(events), want, metadata)


def _heads(data: bytes, begin: int) -> list[int]:
    """Where events begin behind the list's bracket: not in lists inside of them, nor in those of other keys."""
    found: list[int] = []
    inner = begin
    for match in _HEAD.finditer(data, begin):
        if match.end() < inner:
            continue
        bracket = match.start() - 1
        if bracket >= begin and data[bracket : bracket + 1] == b"[":
            inner = bracket + (end_of_value(data[bracket : bracket + LONGEST_LIST]) or 0)
        else:
            found.append(match.end())
    return found


def _split_last(text: bytes, decode: Decoders) -> tuple[list[bytes], bytes]:
    """The last event, if it is whole, and what stands behind it: the list's bracket, unless something is torn."""
    end = end_of_value(text)
    if end is None:
        closing = _LAST.search(text)
        if closing is None or _decode(text[: closing.start() + 1], decode) is None:
            return [], text
        end = closing.start() + 1
    return [text[:end]], text[end:].lstrip(b", \t\r\n")


def _decode(text: bytes, decode: Decoders) -> Event | None:
    try:
        return decode.event(text)
    except UNREADABLE:
        return repair(text)


def _collected(
    events: Iterable[Event | None],
    count: int,
    want: Want,
    metadata: tuple[bytes, ...],
    lost_bytes: int | None = None,
) -> Document:
    collector = Collector(want)
    readable = [event for event in events if event is not None]
    if count > len(readable):
        collector.skipped["not readable"] += count - len(readable)
    if phaseless := collector.wanted(event for event in readable if not event.ph):
        collector.skipped["no phase"] += phaseless
    collector.add(join_pairs(readable))
    collector.add_moments(readable)
    return Document(collector, count, metadata, lost_bytes)

"""The JSON of one event, as far as it is read.

Timestamps stay text until their whole column is converted: they must not pass through a double. Ids are written as
numbers by some tools and as strings by others, and are taken as either.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from tracer.trace.columns import NO_CORRELATION

Id: TypeAlias = int | str
# What a text that is no JSON, or none of the wanted kind, makes msgspec raise; its own errors are ValueErrors.
UNREADABLE = (ValueError, RecursionError)
ABSENT = msgspec.Raw(b"")
NO_ID = -1


class Args(msgspec.Struct, gc=False):
    """The arguments that attribution needs."""

    correlation: Id = NO_CORRELATION
    device: Id = NO_ID
    stream: Id = NO_ID
    bytes: Id = 0


NO_ARGS = Args()


class Event(msgspec.Struct, gc=False):
    """One event."""

    ph: str = ""
    cat: str = ""
    name: str = ""
    pid: Id = ""
    tid: Id = ""
    ts: msgspec.Raw = ABSENT
    dur: msgspec.Raw = ABSENT
    id: Id = ""
    args: Args | None = None


decode_event = msgspec.json.Decoder(Event).decode
decode_events = msgspec.json.Decoder(list[Event]).decode


def end_of_value(text: bytes) -> int | None:
    """Offset behind the JSON value that a text begins with; None if that is torn or damaged."""
    import json

    try:
        return json.JSONDecoder(strict=False).raw_decode(text.decode("latin-1"))[1]
    except (ValueError, RecursionError):
        return None


def text_of(raw: msgspec.Raw) -> str:
    """A JSON number or string as text; anything else as it is written."""
    data = bytes(raw)
    if data[:1] == b'"':
        try:
            return str(msgspec.json.decode(data))
        except msgspec.DecodeError:
            return data[1:-1].decode(errors="replace")
    return data.decode(errors="replace")

"""The JSON of one event, as far as it is read.

Timestamps stay text until their whole column is converted: they must not pass through a double. Ids are written as
numbers by some tools and as strings by others, and are taken as either.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from tracer.trace.columns import MISSING, NO_CORRELATION, Want

if TYPE_CHECKING:
    from collections.abc import Callable

Id: TypeAlias = int | str
# What a text that is no JSON, or none of the wanted kind, makes msgspec raise; its own errors are ValueErrors.
UNREADABLE = (ValueError, RecursionError)
ABSENT = msgspec.Raw(b"")
NO_ID = MISSING


class Args(msgspec.Struct, gc=False):
    """The arguments that attribution needs."""

    correlation: Id = NO_CORRELATION
    device: Id = NO_ID
    stream: Id = NO_ID
    bytes: Id = 0


NO_ARGS = Args()


class DetailedArgs(Args, gc=False):
    """Those that only `Want.DETAILS` asks for. Some versions of the profiler begin the id's key with a small letter."""

    external: Id = msgspec.field(default=NO_CORRELATION, name="External id")
    lower_external: Id = msgspec.field(default=NO_CORRELATION, name="external id")
    dims: msgspec.Raw = msgspec.field(default=ABSENT, name="Input Dims")
    types: msgspec.Raw = msgspec.field(default=ABSENT, name="Input type")
    concrete: msgspec.Raw = msgspec.field(default=ABSENT, name="Concrete Inputs")


NO_DETAILS = DetailedArgs()


class LaunchedArgs(DetailedArgs, gc=False):
    """Those that only `Want.LAUNCHED` asks for."""

    grid: msgspec.Raw = ABSENT
    block: msgspec.Raw = ABSENT
    registers: msgspec.Raw = msgspec.field(default=ABSENT, name="registers per thread")
    shared: msgspec.Raw = msgspec.field(default=ABSENT, name="shared memory")
    occupancy: msgspec.Raw = msgspec.field(default=ABSENT, name="est. achieved occupancy %")
    node: Id = msgspec.field(default=NO_ID, name="graph node id")


NOT_LAUNCHED = LaunchedArgs()


class CollectiveArgs(LaunchedArgs, gc=False):
    """Those that only `Want.COLLECTIVES` asks for."""

    collective: msgspec.Raw = msgspec.field(default=ABSENT, name="Collective name")
    group: msgspec.Raw = msgspec.field(default=ABSENT, name="Process Group Name")
    ranks: msgspec.Raw = msgspec.field(default=ABSENT, name="Process Group Ranks")
    size: msgspec.Raw = msgspec.field(default=ABSENT, name="Group size")
    sent: msgspec.Raw = msgspec.field(default=ABSENT, name="In msg nelems")
    received: msgspec.Raw = msgspec.field(default=ABSENT, name="Out msg nelems")
    dtype: msgspec.Raw = ABSENT


NO_COLLECTIVE = CollectiveArgs()


class MemoryArgs(CollectiveArgs, gc=False):
    """Those that only `Want.MEMORY` asks for, beside those of collectives, which may be wanted as well."""

    moved: Id = msgspec.field(default=NO_ID, name="Bytes")
    kind: Id = msgspec.field(default=NO_ID, name="Device Type")
    of_device: Id = msgspec.field(default=NO_ID, name="Device Id")
    allocated: Id = msgspec.field(default=NO_ID, name="Total Allocated")
    reserved: Id = msgspec.field(default=NO_ID, name="Total Reserved")
    address: Id = msgspec.field(default=NO_ID, name="Addr")


NO_MEMORY = MemoryArgs()


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


class DetailedEvent(Event, gc=False):
    """One event with all of its arguments that anybody reads."""

    args: DetailedArgs | None = None


class LaunchedEvent(Event, gc=False):
    """One event with how its kernel was launched."""

    args: LaunchedArgs | None = None


class CollectiveEvent(Event, gc=False):
    """One event with which collective it is."""

    args: CollectiveArgs | None = None


class MemoryEvent(Event, gc=False):
    """One event with what an allocator did."""

    args: MemoryArgs | None = None


class Decoders:
    """Decode JSON to events: one alone, a list, or a document's list.

    More keys to look for make every event slower, so they are looked for only where they are wanted.
    """

    def __init__(self, event: type[Event]) -> None:
        document: Any = msgspec.defstruct("Document", [("traceEvents", list[event])])  # type: ignore[valid-type]
        self.event: Callable[[bytes], Event] = msgspec.json.Decoder(event).decode
        self.events: Callable[[bytes], list[Event]] = msgspec.json.Decoder(list[event]).decode  # type: ignore[valid-type]
        self._document = msgspec.json.Decoder(document).decode

    def document(self, data: bytes) -> list[Event]:
        """The events of a document."""
        events: list[Event] = self._document(data).traceEvents
        return events


_PLAIN, _DETAILED, _LAUNCHED = Decoders(Event), Decoders(DetailedEvent), Decoders(LaunchedEvent)
_COLLECTIVE = Decoders(CollectiveEvent)
_MEMORY = Decoders(MemoryEvent)


def decoders(want: Want) -> Decoders:
    """Those that find what is wanted."""
    if want & Want.MEMORY:
        return _MEMORY
    if want & Want.COLLECTIVES:
        return _COLLECTIVE
    if want & Want.LAUNCHED:
        return _LAUNCHED
    return _DETAILED if want & Want.DETAILS else _PLAIN


def end_of_value(text: bytes) -> int | None:
    """Offset behind the JSON value that a text begins with; None if that is torn or damaged."""
    import json

    try:
        return json.JSONDecoder(strict=False).raw_decode(text.decode("latin-1"))[1]
    except (ValueError, RecursionError):
        return None


# A backslash that begins no escape of JSON, as in a path of Windows that nobody escaped, or that hides a text's end.
_LONE = re.compile(rb'\\\\|\\(?!["\\/bfnrt]|u[0-9a-fA-F]{4})|\\(?="\s*(?:,\s*"[^"]{0,200}"\s*:|\}))')


def escaped(text: bytes) -> bytes:
    """A text that is no JSON, with those backslashes escaped that make it none."""
    return _LONE.sub(rb"\\\\", text)


def text_of(raw: msgspec.Raw) -> str:
    """A JSON number or string as text; anything else as it is written."""
    data = bytes(raw)
    if data[:1] == b'"':
        try:
            return str(msgspec.json.decode(data))
        except msgspec.DecodeError:
            return data[1:-1].decode(errors="replace")
    return data.decode(errors="replace")

"""Writing a part of a trace: its metadata, its events as they stand in the whole, and what is stated of its stages."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import msgspec

from tracer.document.errors import InputError
from tracer.perfetto.annotate import layout_of
from tracer.perfetto.picker import Picked, Picker, decoded_alone, together
from tracer.perfetto.place import PLAIN, style_of
from tracer.trace.chrome.events import ABSENT, UNREADABLE, Event, text_of
from tracer.trace.chrome.layout import HEAD_BYTES, UnscannableError
from tracer.trace.chrome.reader import PACKED_FACTOR, scan_shares
from tracer.trace.parallel import default_jobs
from tracer.trace.part import KEY
from tracer.trace.source import BOM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tracer.perfetto.kept import Kept
    from tracer.perfetto.place import Style
    from tracer.trace.source import Source

EVENTS = "traceEvents"
Keys = dict[str, msgspec.Raw]


def write_part(source: Source, file: IO[bytes], kept: Kept, drop: frozenset[str], jobs: int | None) -> None:
    """Write it.

    Args:
        source: the whole.
        file: to write to.
        kept: what to keep.
        drop: categories of events to leave out.
        jobs: processes to read with; by the file's size if None.

    Raises:
        InputError: the whole is not JSON in any way that it could be cut.
    """
    try:
        picked, metadata, style = _scanned(source, kept, drop, jobs)
    except UnscannableError:
        picked, metadata, style = _from_document(source, kept, drop)
    _write(file, metadata, _in_order(picked), kept, style)


def _in_order(picked: Sequence[Picked]) -> Iterator[bytes]:
    """The events of all shares in the order of the file, and behind them the arrows that have both ends."""
    texts = [pair for share in picked for pair in share.events]
    for _, pieces in sorted(texts, key=lambda pair: pair[0]):
        yield from pieces
    yield from together([flow for share in picked for flow in share.flows])


def _scanned(source: Source, kept: Kept, drop: frozenset[str], jobs: int | None) -> tuple[list[Picked], Keys, Style]:
    layout = layout_of(source)
    if layout is None:
        raise UnscannableError
    head = head_of(source, layout.events)
    mark = len(head) - len(head.removeprefix(BOM))
    jobs = jobs or default_jobs(source.size_bytes * (PACKED_FACTOR if source.packed else 1))
    scanned = scan_shares(source, mark + layout.events, layout, jobs, lambda: Picker(kept, layout, drop))
    before = keys_of(head[mark : mark + layout.events] + b"]}")
    return scanned.found, before | keys_of(b'{"traceEvents": []' + scanned.tail.metadata), style_of(layout)


def head_of(source: Source, size: int) -> bytes:
    """The text of a file up to behind so many bytes at least, or up to where no layout is looked for any more."""
    head = b""
    for block in source.blocks():
        head += block
        if len(head) >= min(HEAD_BYTES, size + len(BOM)):
            break
    return head


def keys_of(document: bytes) -> Keys:
    """The metadata in a document; none where it is damaged."""
    try:
        keys = msgspec.json.decode(document, type=Keys)
    except UNREADABLE:
        return {}
    return {key: value for key, value in keys.items() if key not in (EVENTS, KEY)}


def _from_document(source: Source, kept: Kept, drop: frozenset[str]) -> tuple[list[Picked], Keys, Style]:
    """The same of a trace that is read as one document."""
    pieces, keys = document_of(source)
    picker = Picker(kept, None, drop)
    picker.judge(*_whole(pieces), place=0)
    return [picker.found()], {key: value for key, value in keys.items() if key not in (EVENTS, KEY)}, PLAIN


def document_of(source: Source) -> tuple[list[bytes], Keys]:
    """The texts of a trace's events, and its keys, read as one document.

    Raises:
        InputError: it is not JSON.
    """
    data = source.read_all().removeprefix(BOM)
    try:
        if data[:64].lstrip().startswith(b"["):
            keys, texts = {}, msgspec.json.decode(data, type=list[msgspec.Raw])
        else:
            keys = msgspec.json.decode(data, type=Keys)
            texts = msgspec.json.decode(keys[EVENTS], type=list[msgspec.Raw])
    except (*UNREADABLE, KeyError) as error:
        raise InputError(f"{source.name}: not JSON, so that nothing can be taken out of it ({error})") from None
    return [bytes(text) for text in texts], keys


def _whole(pieces: Iterable[bytes]) -> tuple[list[bytes], list[Event]]:
    """The texts and events; a pair of a beginning and an end is one text, and one event that lasts."""
    texts: list[bytes] = []
    events: list[Event] = []
    begun: dict[tuple[str, str], list[int]] = {}
    for piece in pieces:
        event = decoded_alone(piece)
        if event is None:
            continue
        track = str(event.pid), str(event.tid)
        if event.ph == "E":
            if stack := begun.get(track):
                row = stack.pop()
                texts[row] += b",\n" + piece
                events[row] = msgspec.structs.replace(events[row], ph="X", dur=_between(events[row], event))
            continue
        if event.ph == "B":
            begun.setdefault(track, []).append(len(texts))
        texts.append(piece)
        events.append(event)
    return texts, events


def _between(beginning: Event, end: Event) -> msgspec.Raw:
    """How long it lasts, as the text of a duration."""
    from decimal import Decimal, InvalidOperation

    try:
        length = Decimal(text_of(end.ts)) - Decimal(text_of(beginning.ts))
    except InvalidOperation:
        return ABSENT
    return msgspec.Raw(f"{length:f}".encode())


def _write(file: IO[bytes], metadata: Keys, events: Iterator[bytes], kept: Kept, style: Style) -> None:
    file.write(b"{\n")
    for key, value in metadata.items():
        file.write(msgspec.json.encode(key) + b": " + bytes(value) + b",\n")
    file.write(b'"%s": %s,\n' % (KEY.encode(), msgspec.json.encode(kept.part)))
    line = style.opening.lstrip(b",").partition(b"{")[0]
    file.write(b'"%s": [' % EVENTS.encode())
    first = True
    for event in events:
        file.write((line if first else b"," + line) + event)
        first = False
    file.write(b"\n]\n}\n")

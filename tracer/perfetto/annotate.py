"""Adding tracks to a Chrome trace without changing a byte of what is in it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from tracer.charge.memory import device_lines
from tracer.document.errors import InputError
from tracer.document.summary import Lost
from tracer.perfetto.files import copy_bytes, writer
from tracer.perfetto.place import begins_tracks, place_at_end, place_in_document, style_of
from tracer.perfetto.tracks import tracks
from tracer.summarize import charge, frames_of, read, summarize_charged
from tracer.trace.chrome.layout import HEAD_BYTES, sniff
from tracer.trace.chrome.tracks import footer, with_bytes
from tracer.trace.source import BOM, Source
from tracer.trace.unread import why_unread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracer.choices import Choices
    from tracer.document.summary import Summary
    from tracer.perfetto.place import Place, Style
    from tracer.trace.chrome.layout import Layout
    from tracer.trace.columns import Trace

# How much of a text's end is held back to find the end of its list in: more than any metadata behind that.
TAIL_BYTES = 8 << 20
# Events are written so many at once.
BATCH = 4096


@dataclass(frozen=True, slots=True)
class Annotated:
    """What was added.

    Attributes:
        events: how many.
        torn: whether the original was cut off, so that the new file ends behind its last whole event.
        lacking: what the tracks do not show, since it was not read or not recorded, in words; "" where nothing is so.
    """

    events: int
    torn: bool
    lacking: str = ""


class _EndNotFoundError(Exception):
    """The list of events does not end where a layout would have it end."""


@dataclass(frozen=True, slots=True)
class _Original:
    """The trace that the tracks go into, and what is known of its text."""

    source: Source
    layout: Layout | None
    own_bytes: int
    torn: bool

    @property
    def tail_bytes(self) -> int:
        """How much of the end is held in memory."""
        return TAIL_BYTES + self.own_bytes


def annotate(path: Path, output: Path, choices: Choices) -> Annotated:
    """Write a trace with our tracks in it. Tracks that we put into it before are replaced.

    Args:
        path: of the trace.
        output: the file to write; packed if it ends in `.gz`.
        choices: as for its summary.

    Raises:
        InputError: it is no Chrome trace, or the output cannot be written.
    """
    with Source(path, choices.limits) as source:
        trace = read(source, choices)
        check_chrome(source, trace)
        charged = charge(trace, choices)
        summary = summarize_charged(charged, choices, frames=frames_of(source, trace, choices))
        original = _Original(source, layout_of(source), trace.own_tracks_bytes, trace.torn)
        added = tracks(summary, charged, device_lines(charged.trace))
        try:
            try:
                with writer(output) as file:
                    count = _copy_with(original, file, added)
            except _EndNotFoundError:
                with writer(output) as file:
                    count = _copy_document_with(original, file, added)
        except OSError as error:
            raise InputError(f"{output}: {error.strerror or error}") from None
    return Annotated(count, trace.torn, _lacking(trace, summary))


def _lacking(trace: Trace, summary: Summary) -> str:
    if trace.unread is not None:
        return f"its work is not read, so that no track shows any: {why_unread(trace.unread)}; {trace.unread.next_step}"
    return f"{summary.lost.reason}; {summary.lost.next_step}" if isinstance(summary.lost, Lost) else ""


def check_chrome(source: Source, trace: Trace) -> None:
    """Refuse a trace that Perfetto does not open.

    Raises:
        InputError: it is one.
    """
    if trace.format != "chrome":
        raise InputError(f"{source.name}: not a Chrome trace, which Perfetto opens; Nsight Systems shows its reports")


def layout_of(source: Source) -> Layout | None:
    """How the events of a file are laid out; None where its head does not say."""
    head = b""
    for block in source.blocks():
        head += block
        layout = sniff(head.removeprefix(BOM))
        if layout is not None or len(head) >= HEAD_BYTES:
            return layout
    return None


def _copy_with(original: _Original, file: IO[bytes], added: Iterator[str]) -> int:
    """Copy the trace with the events in it; their number.

    Raises:
        _EndNotFoundError: nothing but some of the trace was written.
    """
    if original.layout is None:
        raise _EndNotFoundError
    tail = _copy_all_but_tail(original, file)
    place = place_at_end(tail, original.layout, original.own_bytes, torn=original.torn)
    if place is None or place.offset < 0:
        raise _EndNotFoundError
    return _finish(original, file, tail, place, added)


def _copy_all_but_tail(original: _Original, file: IO[bytes]) -> bytes:
    """Copy a trace but for its tail, and return that."""
    source = original.source
    if not source.packed:
        start = max(0, source.size_bytes - original.tail_bytes)
        copy_bytes(source, file, 0, start)
        return b"".join(source.blocks(start))
    held: deque[bytes] = deque()
    size = 0
    for block in source.blocks():
        held.append(block)
        size += len(block)
        while size - len(held[0]) > original.tail_bytes:
            size -= len(held[0])
            file.write(held.popleft())
    return b"".join(held)


def _copy_document_with(original: _Original, file: IO[bytes], added: Iterator[str]) -> int:
    """The same of a trace that is held in memory as a whole."""
    data = original.source.read_all()
    text = data.removeprefix(BOM)
    file.write(data[: len(data) - len(text)])
    place = place_in_document(original.source.name, text, original.own_bytes)
    return _finish(original, file, text, place, added)


def _finish(original: _Original, file: IO[bytes], tail: bytes, place: Place, added: Iterator[str]) -> int:
    """Write the tail with the events in it.

    Raises:
        InputError: it holds tracks of ours that are not as we wrote them.
    """
    if original.own_bytes and not begins_tracks(tail, place.offset):
        raise InputError(
            f"{original.source.name}: another program has laid out anew what tracer added to it; annotate the original"
        )
    file.write(tail[: place.offset])
    count = put_tracks(file, style_of(original.layout), added, empty=place.empty)
    file.write(place.ending or tail[place.resume :])
    return count


def put_tracks(file: IO[bytes], style: Style, events: Iterator[str], *, empty: bool) -> int:
    """Write the events and, behind them, the footer by which they are recognised."""
    between = style.closing + style.opening + style.phase
    size = count = 0
    batch: list[bytes] = []
    for event in events:
        batch.append(event.encode())
        if len(batch) == BATCH:
            size += file.write(_joined(batch, between, style, first=empty and not count))
            count += BATCH
            batch.clear()
    batch.append(footer(count + len(batch) + 1).encode())
    text = _joined(batch, between, style, first=empty and not count)
    file.write(with_bytes(text, size + len(text)))
    return count + len(batch)


def _joined(events: list[bytes], between: bytes, style: Style, *, first: bool) -> bytes:
    return style.event(between.join(events), first=first)

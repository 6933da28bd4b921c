"""Where in a trace's text its list of events ends, and how an event is laid out there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tracer.document.errors import InputError
from tracer.trace.chrome.events import UNREADABLE, end_of_value
from tracer.trace.chrome.scanner import SEPARATORS, end_of_list

if TYPE_CHECKING:
    from tracer.trace.chrome.layout import Layout

_BLANK = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Style:
    """How the events of a file are written.

    Attributes:
        opening: what stands before the key of the phase, in front of any event but the first.
        phase: that key, with its colon.
        closing: what ends an event.
    """

    opening: bytes
    phase: bytes
    closing: bytes

    def event(self, behind_phase: bytes, *, first: bool = False) -> bytes:
        """An event's text; the first of a list has no comma before it."""
        opening = self.opening.lstrip(b"," + _BLANK) if first else self.opening
        return opening + self.phase + behind_phase + self.closing


PLAIN = Style(b",\n{", b'"ph":', b"}")


def style_of(layout: Layout | None) -> Style:
    """The style that a layout recognises as its own."""
    if layout is None:
        return PLAIN
    if layout.certain:
        line = layout.stop[:-1]
        return Style(b"," + line + b"{" + line + b"  ", layout.phase, layout.stop)
    # The end of an event is a brace with the next one's opening behind it, up to the quote of its first key.
    return Style(layout.stop[1:-1], layout.phase, b"}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where tracks can be put into a text.

    Attributes:
        offset: behind the last event that is not of tracer's own tracks.
        resume: where the text goes on behind such tracks.
        empty: whether there is no event before.
        ending: what has to follow where the text is torn; else b"".
    """

    offset: int
    resume: int
    empty: bool
    ending: bytes = b""


def place_at_end(tail: bytes, layout: Layout, own_bytes: int, *, torn: bool) -> Place | None:
    """Find the place in the last part of a text, which holds whole what the list ends with.

    Args:
        tail: that part.
        layout: of the events.
        own_bytes: that tracer's own tracks take there.
        torn: whether it is known to be no whole document.
    """
    found = None if torn else end_of_list(tail, layout)
    if found is not None:
        end, behind = found
        opening = tail.rfind(b"[", 0, len(tail) - len(behind))
        if not end:  # an empty list: behind its bracket
            return Place(opening + 1, opening + 1, empty=True)
        return Place(end - own_bytes, end, empty=_opens_list(tail, end - own_bytes))
    if not torn:
        return None
    last = tail.rfind(layout.stop)
    if last < 0:
        return None
    end = last + layout.keep
    if not layout.certain:
        rest = tail[end:]
        blank = len(rest) - len(rest.lstrip(SEPARATORS))
        length = end_of_value(rest[blank:])
        end += 0 if length is None else blank + length
    return Place(end, len(tail), empty=False, ending=b"\n]" if layout.bare else b"\n]}")


_FIRST_TRACK = re.compile(rb'\s*+(?:,\s*+)?\{\s*+"ph"\s*+: "M", "cat": "tracer", "name": "process_name"')


def begins_tracks(text: bytes, offset: int) -> bool:
    """Whether the first of tracer's own tracks begins there, behind another event or at the list's beginning."""
    before = text[max(0, offset - 1) : offset]
    return before in (b"}", b"[", b"\n", b" ") and _FIRST_TRACK.match(text, offset) is not None


def _opens_list(text: bytes, offset: int) -> bool:
    return text[:offset].rstrip(_BLANK).endswith(b"[")


def place_in_document(name: str, text: bytes, own_bytes: int) -> Place:
    """Find it in a whole text that no layout is known of.

    Raises:
        InputError: it is not JSON.
    """
    try:
        if text[:64].lstrip().startswith(b"["):
            events = bytes(msgspec.json.decode(text, type=msgspec.Raw))
        else:
            events = bytes(msgspec.json.decode(text, type=dict[str, msgspec.Raw])["traceEvents"])
    except (*UNREADABLE, KeyError) as error:
        raise InputError(f"{name}: not JSON, so that nothing can be put into it ({error})") from None
    bracket = text.rindex(events) + len(events) - 1
    end = len(text[:bracket].rstrip(_BLANK))
    return Place(end - own_bytes, end, empty=_opens_list(text, end - own_bytes))

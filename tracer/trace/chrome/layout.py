"""How a writer lays out its events, sniffed from the head of the file.

The scanner needs only one fact: the bytes that end an event. In a layout of several lines that is the closing brace
at the event's own depth: a line break never occurs inside a JSON string. In a layout of one line, or one event a
line, it is a closing brace with the separator and the next event's opening behind it: an unescaped quote never does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Enough for any metadata in front of the events.
HEAD_BYTES = 4 << 20

_LIST = re.compile(rb'"traceEvents"\s*:\s*\[|\A\s*\[')
_OPENING = re.compile(rb"(\s*)\{(\s*)\"")
_INDENT = re.compile(rb"\r?\n[ \t]*\Z")
_SEPARATOR = re.compile(rb'\}(\s*,\s*\{\s*")(?:ph|name|cat|pid|tid|ts|args|id|s|dur|bp)"\s*:')
_PHASE = re.compile(rb'"ph"\s*:')


class UnscannableError(Exception):
    """The file is not laid out as its head promised; it must be read as one document."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where events begin and end.

    Attributes:
        events: offset just behind the bracket that opens the list of events.
        stop: bytes that end an event.
        keep: how many of them belong to it.
        phase: the key `ph` as this writer spells it; there is one in every event.
        bare: whether the list of events is the whole document.
    """

    events: int
    stop: bytes
    keep: int
    phase: bytes
    bare: bool

    @property
    def certain(self) -> bool:
        """Whether the end of an event cannot be mistaken: it stands on a line of its own."""
        return self.keep == len(self.stop)


def sniff(head: bytes) -> Layout | None:
    """Recognise the layout, or None: then the file is read as one document."""
    opening = _LIST.search(head)
    if opening is None:
        return None
    first = _OPENING.match(head, opening.end())
    phase = _PHASE.search(head, opening.end())
    if first is None or phase is None:
        return None
    bare = not opening[0].startswith(b'"')
    line = first[1].rfind(b"\n")
    indent = _INDENT.search(first[1], max(0, line - 1))
    if indent is not None and b"\n" in first[2]:
        stop = indent[0] + b"}"
        return Layout(opening.end(), stop, len(stop), phase[0], bare)
    separator = _SEPARATOR.search(head, first.end())
    if separator is None:
        return None
    return Layout(opening.end(), b"}" + separator[1], 1, phase[0], bare)

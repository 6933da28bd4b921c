"""Tracks that tracer itself put into a trace: how they are marked, and how they are recognised.

They stand in one piece at the end of the list of events. The last of them is a footer that says how many they are, in
digits of a fixed width, so that whoever reads the file again can leave them out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Their process: "trac" in ASCII, far above the number of any process of Linux or Windows.
PROCESS = 0x74726163
CATEGORY = "tracer"
FOOTER = "tracer tracks"
_DIGITS = 12
_NAME = f'"{FOOTER}"'.encode()
_REST = re.compile(
    _NAME + rb'[^{}]{0,200}"args"\s*:\s*\{\s*"events"\s*:\s*"(\d{12})",\s*"bytes"\s*:\s*"(\d{12})"\s*\}\s*\}(?=\s*\])'
)
_BYTES = re.compile(rb'("bytes": ")\d{12}')


@dataclass(frozen=True, slots=True)
class OwnTracks:
    """The tracks in a file.

    Attributes:
        events: how many, with their names and the footer.
        size_bytes: of their text, from the separator in front of the first to the end of the last.
    """

    events: int = 0
    size_bytes: int = 0


NO_TRACKS = OwnTracks()


def footer(events: int) -> str:
    """The last event, behind its phase's key; its bytes are filled in by `with_bytes`."""
    args = f'{{"events": "{events:0{_DIGITS}}", "bytes": "{0:0{_DIGITS}}"}}'
    head = f'"cat": "{CATEGORY}", "name": "{FOOTER}", "pid": {PROCESS}, "tid": {PROCESS}'
    return f' "M", {head}, "args": {args}'


def with_bytes(text: bytes, size_bytes: int) -> bytes:
    """A footer's text with how many bytes all tracks take."""
    return _BYTES.sub(lambda match: b"%s%0*d" % (match[1], _DIGITS, size_bytes), text)


def own_tracks(text: bytes) -> OwnTracks:
    """The tracks at the end of the list of events, which is at the end of this text."""
    found = _REST.match(text, max(0, text.rfind(_NAME)))
    return NO_TRACKS if found is None else OwnTracks(int(found[1]), int(found[2]))

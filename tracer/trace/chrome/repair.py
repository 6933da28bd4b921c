"""Reading an event that is not JSON.

Profilers write bare `inf` and `-nan` into arguments, decimal commas from a locale, and names with quotes,
backslashes or control characters as they are. What attribution needs can still be read off by its keys.
"""

from __future__ import annotations

import re

import msgspec

from tracer.trace.chrome.events import ABSENT, NO_ARGS, Args, Event, Id

# The keys of an event, one of which follows every value but the last.
_KEY = rb'"(?:ph|cat|name|pid|tid|ts|dur|tts|id|s|bp|args)"\s*:'
_NUMBER = rb"-?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?"


def _number(key: bytes) -> re.Pattern[bytes]:
    return re.compile(rb'"' + key + rb'"\s*:\s*"?(' + _NUMBER + rb')"?\s*(?=[,}\]]|$)')


def _word(key: bytes) -> re.Pattern[bytes]:
    """A number, or a short text without quotes."""
    return re.compile(rb'"' + key + rb'"\s*:\s*("[^"\\\n]{0,200}"|-?\d+(?![\d.eE]))')


_PH, _CAT = _word(b"ph"), _word(b"cat")
_NAME = re.compile(rb'"name"\s*:\s*"')
# A name ends where the next key follows, or the event is over.
_NAME_END = re.compile(rb'"\s*+(?:,\s*(?=' + _KEY + rb")|(?:\}\s*)?\Z)")
_PID, _TID, _ID = _word(b"pid"), _word(b"tid"), _word(b"id")
_TS, _DUR = _number(b"ts"), _number(b"dur")
_ARGS = re.compile(rb'"args"\s*:\s*\{')
_CORRELATION, _DEVICE, _STREAM, _BYTES = _word(b"correlation"), _word(b"device"), _word(b"stream"), _word(b"bytes")


def repair(text: bytes) -> Event | None:
    """Read an event off its keys; None where it has no phase or neither name nor category."""
    if b'"ph"' not in text:
        return None
    opening = _ARGS.search(text)
    outside, inside = (text, b"") if opening is None else (text[: opening.start()], text[opening.start() :])
    found = {key: pattern.search(outside) for key, pattern in _OUTER.items()}
    name = _name(outside)
    if opening is not None:  # keys may also stand behind the arguments
        found = {key: match or _OUTER[key].search(text) for key, match in found.items()}
        name = name or _name(text)
    if found["ph"] is None or (name is None and found["cat"] is None):
        return None
    return Event(
        ph=_string(found["ph"]),
        cat=_string(found["cat"]),
        name="" if name is None else name.decode(errors="replace"),
        pid=_id(found["pid"], ""),
        tid=_id(found["tid"], ""),
        ts=_decimal(found["ts"]),
        dur=_decimal(found["dur"]),
        id=_id(found["id"], ""),
        args=_args(inside),
    )


_OUTER = {
    "ph": _PH, "cat": _CAT, "pid": _PID, "tid": _TID, "ts": _TS, "dur": _DUR, "id": _ID,
}  # fmt: skip


def _name(text: bytes) -> bytes | None:
    begin = _NAME.search(text)
    end = None if begin is None else _NAME_END.search(text, begin.end())
    return None if begin is None or end is None else text[begin.end() : end.start()]


def _args(text: bytes) -> Args:
    return Args(
        correlation=_id(_CORRELATION.search(text), NO_ARGS.correlation),
        device=_id(_DEVICE.search(text), NO_ARGS.device),
        stream=_id(_STREAM.search(text), NO_ARGS.stream),
        bytes=_id(_BYTES.search(text), NO_ARGS.bytes),
    )


def _id(match: re.Match[bytes] | None, default: Id) -> Id:
    return default if match is None else _string(match)


def _string(match: re.Match[bytes] | None) -> str:
    return "" if match is None else match[1].strip(b'"').decode(errors="replace")


def _decimal(match: re.Match[bytes] | None) -> msgspec.Raw:
    return ABSENT if match is None else msgspec.Raw(match[1].replace(b",", b"."))

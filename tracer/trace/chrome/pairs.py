"""Duration events written as a beginning (`ph` B) and an end (E), joined into complete ones (X).

An end closes the latest open beginning of its thread, as in the Trace Event Format; its name and category are those of
the beginning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tracer.document.times import microseconds_to_ns
from tracer.trace.chrome.events import ABSENT, Event, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def join_pairs(events: Sequence[Event]) -> list[Event]:
    """The complete events, those joined from pairs among them; a beginning without an end has no duration."""
    if not any(event.ph == "B" for event in events):
        return [event for event in events if event.ph == "X"]
    timed = [(time, event) for event in events if event.ph in ("B", "E") and (time := _time(event.ts)) is not None]
    timed.sort(key=lambda pair: pair[0])
    joined: list[Event] = []
    open_events: dict[tuple[str, str], list[tuple[int, Event]]] = {}
    for time, event in timed:
        stack = open_events.setdefault((str(event.pid), str(event.tid)), [])
        if event.ph == "B":
            stack.append((time, event))
        elif stack:
            began, beginning = stack.pop()
            joined.append(_complete(beginning, time - began))
    for stack in open_events.values():
        joined += [_complete(beginning, None) for _, beginning in stack]
    return [event for event in events if event.ph == "X"] + joined


def _time(raw: msgspec.Raw) -> int | None:
    try:
        return microseconds_to_ns(text_of(raw))
    except ValueError:
        return None


def _complete(beginning: Event, duration_ns: int | None) -> Event:
    text = "" if duration_ns is None else f"{duration_ns // 1000}.{duration_ns % 1000:03}"
    duration = ABSENT if duration_ns is None else msgspec.Raw(text.encode())
    return msgspec.structs.replace(beginning, ph="X", dur=duration)

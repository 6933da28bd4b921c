"""Reading the columns of a timeline, one number at a time, as its document describes them."""

from __future__ import annotations

from tracer.document.timeline import DELTAS, Track


def unpacked(name: str, data: bytes) -> list[int]:
    values, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            values.append(value)
            value = shift = 0
    assert shift == 0
    if name not in DELTAS:
        return values
    found, before = [], 0
    for value in values:
        before += -(value + 1) // 2 if value % 2 else value // 2
        found.append(before)
    return found


def columns(track: Track) -> dict[str, list[int]]:
    """All columns of a track, each with as many values as it has items."""
    found = {name: unpacked(name, data) for name, data in track.columns.items()}
    assert {len(column) for column in found.values()} == {track.items}
    return found

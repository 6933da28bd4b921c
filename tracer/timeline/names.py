"""The names that a timeline spells out: as many as there is room for, those with the most time first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracer.arrays import I64

# Characters of one name, and of all of them.
LONGEST_NAME = 400
MOST_CHARACTERS = 1_000_000
# Stands for those that there is no room for.
OTHER = "(a name that there is no room for)"


def short(name: str) -> str:
    """A name without its middle, if it is long: beginnings say where a kernel comes from, endings which it is."""
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME * 2 // 3]}…{name[-(LONGEST_NAME // 3 - 1) :]}"


def chosen(strings: Sequence[str], used: Iterable[tuple[I64, I64]]) -> tuple[list[str], list[int], I64]:
    """The names that are spelled out, and for each of the trace's its place among them.

    Args:
        strings: the trace's names.
        used: columns of names, and of the time that each of their uses takes.

    Returns:
        Them; the number in `strings` of each of them; and of each of `strings` the place among them.
    """
    weight = np.zeros(len(strings), dtype=np.float64)
    occurs = np.zeros(len(strings), dtype=np.bool_)
    for name, time_ns in used:
        np.add.at(weight, name, time_ns.astype(np.float64))
        occurs[name] = True
    found, numbers = [OTHER], [-1]
    place = np.zeros(len(strings), dtype=np.int64)
    room = MOST_CHARACTERS
    for number in np.argsort(-weight, kind="stable").tolist():
        if not occurs[number]:
            continue
        spelled = short(strings[number])
        room -= len(spelled)
        if room < 0:
            break
        place[number] = len(found)
        found.append(spelled)
        numbers.append(number)
    return found, numbers, int64(place)

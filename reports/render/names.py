"""Names cut to the room that is left, so that what differs still looks different."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Sequence

CUT = "…"
# Of what stays of a long name, the share of its ending: kernels' beginnings say more, their endings which of its kind.
ENDING = 0.4
# Of what stays of a name whose middle tells it apart, the share that is given to its beginning.
BEGINNING = 3


def shortened(names: Sequence[str], cells: int) -> list[str]:
    """The names, each of at most `cells` terminal cells; those that differ stay different.

    A long name loses its middle: beginnings say where a kernel comes from, endings which of its kind it is. Those that
    this makes alike are cut at another place, the same in all of them; where none tells them apart, they are cut before
    what they differ in, or counted.

    Args:
        names: printable, in the order in which they are shown; some may be the same.
        cells: of each at most; from 4 on names stay different, below that they are cut only.
    """
    distinct = list(dict.fromkeys(names))
    long = [name for name in distinct if not _fits(name, cells)]
    if not long:
        return list(names)
    if cells < 4:
        return [_head(name, cells) for name in names]
    cut = {name: name for name in distinct} | {name: _without_middle(name, cells, _ending(cells)) for name in long}
    for alike in _alike({name: cut[name] for name in long}):
        cut |= _cut_elsewhere(alike, cells)
    taken = set(distinct) - set(long)
    for name in long:
        cut[name] = _unlike(cut[name], taken, cells)
        taken.add(cut[name])
    return [cut[name] for name in names]


def _cut_elsewhere(alike: Sequence[str], cells: int) -> dict[str, str]:
    """All cut at the place nearest to the middle that tells them apart, or before what they differ in."""
    for tail in sorted(range(cells), key=lambda tail: abs(tail - _ending(cells))):
        cut = {name: _without_middle(name, cells, tail) for name in alike}
        if len(set(cut.values())) == len(alike):
            return cut
    return dict(zip(alike, _apart(alike, cells), strict=True))


def _ending(cells: int) -> int:
    return int((cells - 1) * ENDING)


def _fits(name: str, cells: int) -> bool:
    # The first test spares the second, which looks at every character, a name of megabytes.
    return len(name) <= 4 * cells and cell_len(name) <= cells


def _without_middle(name: str, cells: int, tail: int) -> str:
    """So many cells of a name, so many of them its end."""
    end = _tail(name, min(tail, cells - 1))
    return f"{_head(name, cells - 1 - min(tail, cells - 1))}{CUT}{end}"


def _alike(cut: dict[str, str]) -> list[list[str]]:
    """Groups of names that look the same when cut."""
    groups: dict[str, list[str]] = {}
    for name, text in cut.items():
        groups.setdefault(text, []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _apart(alike: Sequence[str], cells: int) -> list[str]:
    """Each from where they begin to differ, behind a little of what they have in common."""
    common = 0
    while len({name[common : common + 1] for name in alike}) == 1:
        common += 1
    head = _head(alike[0], (cells - 2) // BEGINNING)
    room = cells - cell_len(head) - 2
    found = []
    for name in alike:
        rest = name[common:]
        kept = _head(rest, room)
        found.append(f"{head}{CUT}{kept}{CUT}" if len(kept) < len(rest) else f"{head}{CUT}{kept}")
    return found


def _unlike(text: str, taken: set[str], cells: int) -> str:
    """The text, with a number at its end if another name looks like it already."""
    found, number = text, 1
    while found in taken:
        number += 1
        mark = f"{CUT}{number}"
        found = f"{_head(text, cells - len(mark))}{mark}"
    return found


def _head(text: str, cells: int) -> str:
    """The beginning of the text, of at most so many cells."""
    kept = text[: max(cells, 0)]
    while cell_len(kept) > cells:
        kept = kept[:-1]
    return kept


def _tail(text: str, cells: int) -> str:
    """The end of the text, of at most so many cells."""
    kept = text[-cells:] if cells > 0 else ""
    while cell_len(kept) > cells:
        kept = kept[1:]
    return kept

"""Names cut to the room that is left, so that what differs still looks different."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

CUT = "…"
# Of what stays of a name whose middle tells it apart, the share that is given to its beginning.
BEGINNING = 3


def shortened(names: Sequence[str], cells: int) -> list[str]:
    """The names, each of at most `cells` terminal cells; those that differ stay different.

    A long name loses its middle: beginnings say where a kernel comes from, endings which of its kind it is. Where that
    makes two alike, another place is cut, the same in all; and where none tells all apart, the alike ones are cut
    before what they differ in, or counted.

    Args:
        names: printable, in the order in which they are shown; some may be the same.
        cells: of each at most; from 4 on names stay different, below that they are cut only.
    """
    distinct = list(dict.fromkeys(names))
    long = {name for name in distinct if not _fits(name, cells)}
    if not long:
        return list(names)
    if cells < 4:
        return [_head(name, cells) for name in names]
    cut = _cut_alike(distinct, long, cells)
    for alike in _alike({name: cut[name] for name in distinct if name in long}):
        for name, text in zip(alike, _apart(alike, cells), strict=True):
            cut[name] = text
    taken = set(distinct) - long
    for name in distinct:
        if name in long:
            cut[name] = _unlike(cut[name], taken, cells)
            taken.add(cut[name])
    return [cut[name] for name in names]


def _cut_alike(distinct: Sequence[str], long: Collection[str], cells: int) -> dict[str, str]:
    """All too long names cut at the same place: the one nearest to the middle that keeps most of them apart."""
    room = cells - 1
    best: dict[str, str] = {}
    for tail in sorted(range(room), key=lambda tail: abs(tail - room // 2)):
        cut = {name: _without_middle(name, room - tail, tail) if name in long else name for name in distinct}
        if len(set(cut.values())) > len(set(best.values())):
            best = cut
        if len(set(best.values())) == len(distinct):
            break
    return best


def _fits(name: str, cells: int) -> bool:
    # The first test spares the second, which looks at every character, a name of megabytes.
    return len(name) <= 4 * cells and cell_len(name) <= cells


def _without_middle(name: str, head: int, tail: int) -> str:
    return f"{_head(name, head)}{CUT}{_tail(name, tail)}"


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

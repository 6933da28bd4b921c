"""How wide the columns of a table are: columns go before digits do, and names are cut before columns go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len

from reports.blocks import Bar
from reports.render.ties import tied

if TYPE_CHECKING:
    from reports.blocks import Table

# Between columns.
GAP = 2
# Of a name, before a column goes for its sake, and once no column can go any more.
LEAST_NAME = 20
NARROWEST_NAME = 6
# Of the figure behind a bar, and of the bar.
FIGURE = 7
SHORTEST_BAR, LONGEST_BAR = 4, 24


@dataclass(frozen=True, slots=True)
class Fit:
    """The columns that there is room for, by their number in the table, each with its width; and the bars' length."""

    widths: dict[int, int]
    bar: int


def fit(table: Table, width: int) -> Fit:
    """Lay a table out in `width` cells."""
    columns = table.columns
    natural = [_natural(table, i) for i in range(len(columns))]
    least = [_least(table, i, natural[i]) for i in range(len(columns))]
    kept = list(range(len(columns)))
    while _whole(kept, least) > width and (spare := [i for i in kept if columns[i].rank]):
        kept.remove(max(spare, key=lambda i: (columns[i].rank, i)))
    given = {i: least[i] for i in kept}
    _narrow(given, table, width)
    room = width - GAP * (len(kept) - 1) - sum(given.values())
    # To names and running text, so that the shortest gets all it takes.
    wide = sorted((i for i in kept if given[i] < natural[i]), key=lambda i: natural[i])
    for left, i in enumerate(wide):
        more = min(natural[i] - given[i], max(0, room) // (len(wide) - left))
        given[i] += more
        room -= more
    bars = [i for i in kept if _has_bars(table, i)]
    bar = min(LONGEST_BAR, room // len(bars)) if bars else 0
    bar = bar if bar >= SHORTEST_BAR else 0
    return Fit({i: given[i] + (bar if i in bars else 0) for i in kept}, bar)


def text(cell: str | Bar) -> str:
    """What a cell says."""
    return tied(cell.text if isinstance(cell, Bar) else cell)


def _has_bars(table: Table, column: int) -> bool:
    return any(isinstance(row.cells[column], Bar) for row in table.rows)


def _natural(table: Table, column: int) -> int:
    said = [table.columns[column].name, *(text(row.cells[column]) for row in table.rows)]
    widest = max(map(cell_len, said))
    return max(FIGURE, widest) if _has_bars(table, column) else widest


def _least(table: Table, column: int, natural: int) -> int:
    if table.columns[column].named:
        return min(natural, LEAST_NAME)
    if table.columns[column].wraps:
        words = [word for row in table.rows for word in text(row.cells[column]).split()]
        return min(natural, max([cell_len(table.columns[column].name), *map(cell_len, words)]))
    return natural


def _whole(columns: list[int], widths: list[int]) -> int:
    return sum(widths[i] for i in columns) + GAP * (len(columns) - 1)


def _narrow(given: dict[int, int], table: Table, width: int) -> None:
    """Where no column can go any more, names give way, then running text, then the widest column, cell by cell."""
    over = sum(given.values()) + GAP * (len(given) - 1) - width
    for least, chosen in (
        (NARROWEST_NAME, [i for i in given if table.columns[i].named]),
        (NARROWEST_NAME, [i for i in given if table.columns[i].wraps]),
        (1, list(given)),
    ):
        while over > 0 and (wide := [i for i in chosen if given[i] > least]):
            widest = max(wide, key=lambda i: given[i])
            given[widest] -= 1
            over -= 1

"""A sweep of drafted tokens and acceptance as a grid: where drafting pays, and how much."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

from reports.page.bars import bar_chart, bar_row
from reports.parts.drafting import MOST_COLUMNS, MOST_ROWS, shares
from reports.render.html import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.page.shown import Shown

    # Decoding's gain by acceptance.
    Gains = Mapping[tuple[float, ...], float]

FAINTEST = 0.15
NOTE = (
    "A row for each number of drafted tokens, a column for each acceptance: +, green: decoding is faster than the "
    "target alone; –, red: it is slower. The fuller the colour, the more of either; the table has the figures."
)


def sweep_grid(file: Shown) -> str:
    """A row for each number of drafted tokens; "" without a sweep."""
    found = file.summary.drafting
    rows: dict[int, dict[tuple[float, ...], float]] = {}
    for one in () if found is None else found.sweep:
        if one.measured.decoding_speedup:
            rows.setdefault(one.drafted, {})[tuple(one.acceptance)] = one.measured.decoding_speedup
    asked = sorted({acceptance for row in rows.values() for acceptance in row})[:MOST_COLUMNS]
    most = max((abs(log2(gain)) for row in rows.values() for gain in row.values()), default=0.0)
    if not asked or not most:
        return ""
    drawn = [_row(count, rows[count], asked, most) for count in sorted(rows)[:MOST_ROWS]]
    names = [_text(place, len(asked), _name(acceptance)) for place, acceptance in enumerate(asked)]
    return bar_chart("Where drafting pays", [bar_row("acceptance", "", "".join(names), "", ""), *drawn], "", NOTE)


def _row(count: int, gains: Gains, asked: Sequence[tuple[float, ...]], most: float) -> str:
    cells = [
        _cell(place, len(asked), _name(acceptance), gains[acceptance], most)
        for place, acceptance in enumerate(asked)
        if acceptance in gains
    ]
    known = [acceptance for acceptance in asked if acceptance in gains]
    best = max(known, key=lambda acceptance: gains[acceptance], default=())
    said = f"{gains[best]:.2f} x" if known else ""
    return bar_row(f"k = {count}", "", "".join(cells), said, f"at {_name(best)}" if known else "")


def _cell(place: int, of: int, name: str, gain: float, most: float) -> str:
    kind, sign = ("pays", "+") if gain > 1 else ("costs", "–")
    shade = FAINTEST + (1 - FAINTEST) * abs(log2(gain)) / most
    at = f'x="{place / of:.3%}" width="{1 / of:.3%}" y="1" height="22"'
    return (
        f'<rect class="{kind}" {at} fill-opacity="{shade:.2f}"><title>{escape(f"{name}: {gain:.2f} x")}</title></rect>'
        f"{_text(place, of, sign)}"
    )


def _text(place: int, of: int, said: str) -> str:
    return f'<text x="{(place + 0.5) / of:.3%}" y="16" text-anchor="middle">{escape(said)}</text>'


def _name(acceptance: Sequence[float]) -> str:
    return shares(list(acceptance)) or "own"

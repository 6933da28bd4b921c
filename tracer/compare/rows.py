"""Rows of a comparison: one measure of two runs, with its verdict; and their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer.compare import figures
from tracer.document.comparison import Row
from tracer.document.names import ALL_STAGES, REQUEST, TPOT, TTFT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer.document.summary import Summary

ERROR_RATE = 0.05
SLOWER, FASTER, WITHIN, UNTESTED, ONE_SIDE = "slower", "faster", "within noise", "not tested", "one side only"

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Tested:
    """The rows of a pair, and how they were tested.

    Attributes:
        rows: in the order of a request; measures of one side only come too.
        permutations: tried; 0 without a test.
        shared_samples: whether those were within samples.
        least_p: the smallest p that so few requests can give.
    """

    rows: list[Row]
    permutations: int = 0
    shared_samples: bool = False
    least_p: float = 1.0


def untested_rows(before: Summary, after: Summary, source: str) -> Tested:
    """Differences between figures of which each run has one."""
    first, second = figures.figures(before, source), figures.figures(after, source)
    keys = in_order((name, "") for name in (*first, *second))
    return Tested([make_row(key, first.get(key[0]), second.get(key[0])) for key in keys])


def make_row(
    key: Key,
    before_ns: float | None,
    after_ns: float | None,
    *,
    ratio: float | None = None,
    allowance: float | None = None,
    p: float | None = None,
    testable: bool = False,
) -> Row:
    """A row of both sides' figures; None where a side has none."""
    both = before_ns is not None and after_ns is not None
    if both and ratio is None and before_ns:
        ratio = (after_ns or 0) / before_ns
    if not both:
        verdict = ONE_SIDE
    elif p is None or not testable:
        verdict = UNTESTED
    elif p > ERROR_RATE or ratio is None:
        verdict = WITHIN
    else:
        verdict = SLOWER if ratio > 1 else FASTER
    return Row(
        of=key[0],
        per=key[1],
        before_ns=before_ns,
        after_ns=after_ns,
        delta_ns=(after_ns or 0) - (before_ns or 0) if both else None,
        ratio=ratio,
        allowance=allowance,
        p=p,
        verdict=verdict,
    )


def in_order(keys: Iterable[Key]) -> list[Key]:
    """Stages in the order of a request, each with what is per token; then the request, TTFT and TPOT."""
    order = (*ALL_STAGES, REQUEST, TTFT, TPOT)
    kinds = ("", figures.VISUAL, figures.PROMPT, figures.OUTPUT)

    def place(key: Key) -> tuple[int, int, Key]:
        return (order.index(key[0]) if key[0] in order else len(order), kinds.index(key[1]), key)

    return sorted(set(keys), key=place)

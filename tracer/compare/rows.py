"""Rows of a comparison: one measure of two runs, with its verdict; and their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer.compare import figures
from tracer.compare.alike import BY_LENGTH, same_length
from tracer.compare.verdicts import ONE_SIDE, UNKNOWN, UNLIKE, UNTESTED, Evidence
from tracer.document.comparison import Row
from tracer.document.names import ALL_STAGES, REQUEST, TPOT, TTFT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer.document.summary import Summary

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
    unlike = source != figures.TRACE and not same_length(before, after)
    rows = []
    for name, per in in_order((name, "") for name in (*first, *second)):
        lacking = [one for one, taken in ((before, first), (after, second)) if name not in taken]
        unknown = any(figures.why_unknown(summary, name, source) is not None for summary in lacking)
        verdict, unlike_here = UNKNOWN if unknown else UNTESTED, unlike and name in BY_LENGTH
        rows.append(make_row((name, per), first.get(name), second.get(name), verdict=verdict, unlike=unlike_here))
    return Tested(rows)


def make_row(
    key: Key,
    before_ns: float | None,
    after_ns: float | None,
    *,
    evidence: Evidence | None = None,
    verdict: str = UNTESTED,
    unlike: bool = False,
) -> Row:
    """A row of both sides' figures; None where a side has none.

    Args:
        key: the measure, and what it is taken per.
        before_ns, after_ns: of each side.
        evidence: of a test, where there was one.
        verdict: upon it.
        unlike: whether the sides are not to be compared.
    """
    both = before_ns is not None and after_ns is not None
    compared = both and not unlike
    ratio = (after_ns or 0) / before_ns if compared and before_ns else None
    interval = None if evidence is None else evidence.interval
    return Row(
        of=key[0],
        per=key[1],
        before_ns=before_ns,
        after_ns=after_ns,
        delta_ns=(after_ns or 0) - (before_ns or 0) if compared else None,
        ratio=ratio if evidence is None else evidence.ratio,
        allowance=None if evidence is None else evidence.allowance,
        p=None if evidence is None else evidence.p,
        verdict=(verdict if verdict == UNKNOWN else ONE_SIDE) if not both else UNLIKE if unlike else verdict,
        low_ratio=None if interval is None else interval[0],
        high_ratio=None if interval is None else interval[1],
    )


def in_order(keys: Iterable[Key]) -> list[Key]:
    """Stages in the order of a request, each with what is per token; then the request, TTFT and TPOT."""
    order = (*ALL_STAGES, REQUEST, TTFT, TPOT)
    kinds = ("", figures.VISUAL, figures.PROMPT, figures.OUTPUT)

    def place(key: Key) -> tuple[int, int, Key]:
        return (order.index(key[0]) if key[0] in order else len(order), kinds.index(key[1]), key)

    return sorted(set(keys), key=place)

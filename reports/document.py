"""What a report is made of, and in which order: the one list that every renderer renders.

A new part is one file under `parts` and one line here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.parts import (
    breakdown,
    categories,
    decode_steps,
    findings,
    gates,
    header,
    latency,
    limits,
    prediction,
    ranges,
    stages,
    warnings,
)
from reports.parts.compared import kernels, measures, options, overlaps, runs, steps, totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reports.blocks import Block
    from tracer.document.comparison import Comparison, Gate
    from tracer.document.summary import Prediction, Summary

SUMMARY = (header, stages, decode_steps, latency, categories, ranges, limits, findings)
# Of a summary that was asked for a breakdown.
BROKEN_DOWN = (header, breakdown)
PAIR = (measures, options, steps, totals, kernels, overlaps)


def of_summary(summary: Summary, held_to: Sequence[Gate] = ()) -> list[Block]:
    """The report on one trace, with the budgets that it was held to."""
    parts = SUMMARY if summary.breakdown is None else BROKEN_DOWN
    return _there([*[one.part(summary) for one in parts], gates.part(held_to), warnings.part(summary)])


def of_comparison(comparison: Comparison) -> list[Block]:
    """The report on several runs, each against the first."""
    pairs = [one.part(comparison, pair) for pair in comparison.pairs for one in PAIR]
    return _there([runs.part(comparison), *pairs, gates.part(comparison.gates)])


def of_prediction(found: Prediction) -> list[Block]:
    """The report on a change that was not made yet."""
    return _there([prediction.part(found)])


def _there(blocks: Iterable[Block | None]) -> list[Block]:
    return [block for block in blocks if block is not None]

"""What a report is made of, and in which order: the one list that every renderer renders.

A new part is one file under `parts` and one line here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reports.asked import AS_IT_IS
from reports.parts import (
    abstained,
    answer,
    attention,
    breakdown,
    categories,
    critical_path,
    decode_steps,
    devices,
    drafting,
    energy,
    findings,
    first,
    footprint,
    gates,
    header,
    host,
    idle,
    joint,
    kernels,
    latency,
    limits,
    memory,
    phases,
    prediction,
    ranges,
    roles,
    serving,
    speculation,
    stages,
    threads,
    warnings,
)
from reports.parts.compared import beside, measures, options, overlaps, runs, steps, totals, turns
from reports.parts.compared import kernels as compared_kernels
from reports.parts.compared import roles as compared_roles
from reports.parts.ranks import bandwidth, found, run, stragglers
from reports.parts.ranks import stages as rank_stages
from reports.parts.ranks import steps as last_ranks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reports.asked import Asked
    from reports.blocks import Block
    from tracer.document.comparison import Comparison
    from tracer.document.critical_path import CriticalPath
    from tracer.document.fleet import Answer
    from tracer.document.ranks import Ranks
    from tracer.document.summary import Prediction, Summary

# The first 24 lines answer the question: where the time goes, and what to do first.
SUMMARY = (
    header.part,
    stages.part,
    first.part,
    stages.reading,
    idle.part,
    host.part,
    devices.part,
    roles.part,
    joint.part,
    serving.part,
    attention.part,
    phases.part,
    speculation.part,
    drafting.part,
    decode_steps.part,
    latency.part,
    categories.part,
    kernels.part,
    footprint.part,
    memory.part,
    energy.part,
    ranges.part,
    threads.part,
    limits.part,
    findings.part,
    abstained.part,
    gates.part,
    warnings.part,
)
# Of a summary that was asked for a breakdown.
BROKEN_DOWN = (header.part, breakdown.part, host.by_name, gates.part, warnings.part)
PAIR = (measures, options, compared_roles, beside, steps, totals, compared_kernels, overlaps)

# Of the ranks of one run.
RANKS = (
    run.part,
    run.requests,
    stragglers.part,
    rank_stages.part,
    last_ranks.part,
    bandwidth.part,
    found.findings,
    found.abstained,
    found.warnings,
)


def of_summary(summary: Summary, asked: Asked = AS_IT_IS) -> list[Block]:
    """The report on one trace."""
    parts = SUMMARY if summary.breakdown is None else BROKEN_DOWN
    return _there(part(summary, asked) for part in parts)


def of_comparison(comparison: Comparison, asked: Asked = AS_IT_IS) -> list[Block]:
    """The report on several runs, each against the first."""
    asked = replace(asked, gates=comparison.gates)
    pairs = [one.part(comparison, pair, asked) for pair in comparison.pairs for one in PAIR]
    first = [runs.part(comparison, asked), turns.part(comparison, asked)]
    return _there([*first, *pairs, gates.part(comparison, asked)])


def of_ranks(ranks: Ranks) -> list[Block]:
    """The report on the ranks of one run."""
    return _there(part(ranks) for part in RANKS)


def of_critical_path(path: CriticalPath) -> list[Block]:
    """What bounds a range, and the longest pieces of its path."""
    return _there([critical_path.bounds(path), critical_path.longest(path)])


def of_answer(answered: Answer, top: int | None = None) -> list[Block]:
    """The report on a question about many traces."""
    return [answer.part(answered, top)]


def of_prediction(predicted: Prediction) -> list[Block]:
    """The report on a change that was not made yet."""
    return _there([prediction.part(predicted)])


def _there(blocks: Iterable[Block | None]) -> list[Block]:
    return [block for block in blocks if block is not None]

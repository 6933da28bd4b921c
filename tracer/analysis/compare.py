"""Summaries beside each other: the first is the baseline of all others."""

from __future__ import annotations

from itertools import islice, product
from string import ascii_uppercase
from typing import TYPE_CHECKING

from tracer.analysis.compare_kernels import compare_kernels
from tracer.analysis.compare_rows import ERROR_RATE, LEAST_ALLOWANCE, UNTESTED, Tested, tested_rows, untested_rows
from tracer.analysis.compare_steps import compare_steps, overlaps
from tracer.analysis.figures import MEDIANS, REQUESTS, SOURCES, TRACE, best_source
from tracer.comparison import SCHEMA, Comparison, Pair, Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.summary import Summary

# With fewer a side the smallest p may not survive being adjusted for all rows.
FEW_REQUESTS = 5


def compare(summaries: Sequence[Summary], *, tolerance: float | None = None) -> Comparison:
    """Compare each summary with the first.

    Args:
        summaries: two or more.
        tolerance: drift between recordings that is allowed for, as a share; taken from them if None, see
            `compare_rows.tested_rows`.
    """
    letters = ("".join(letters) for length in (1, 2, 3) for letters in product(ascii_uppercase, repeat=length))
    runs = [_run(label, summary) for label, summary in zip(islice(letters, len(summaries)), summaries, strict=True)]
    return Comparison(
        schema_=SCHEMA,
        error_rate=ERROR_RATE,
        tolerance=tolerance,
        runs=runs,
        pairs=[
            _pair(summaries[0], summary, (runs[0].label, run.label), tolerance)
            for run, summary in zip(runs[1:], summaries[1:], strict=True)
        ],
    )


def _run(label: str, summary: Summary) -> Run:
    from statistics import median

    about = summary.run or {}
    counts = {
        name: median(getattr(request, name) for request in summary.requests) if summary.requests else about.get(name)
        for name in ("visual_tokens", "prompt_tokens", "new_tokens")
    }
    named = " ".join(str(about[key]) for key in ("model", "size") if about.get(key))
    return Run(
        label=label,
        path=summary.trace.path,
        title=f"{named}, {about['dtype']} on {about['device']}" if about else "",
        requests=len(summary.requests),
        warnings=summary.trace.warnings,
        **counts,
    )


def _pair(before: Summary, after: Summary, labels: tuple[str, str], tolerance: float | None) -> Pair:
    source = max((best_source(summary) for summary in (before, after)), key=SOURCES.index)
    tested = (
        tested_rows(before.requests, after.requests, tolerance)
        if source == REQUESTS
        else untested_rows(before, after, source)
    )
    least = LEAST_ALLOWANCE if tolerance is None else tolerance
    kernels, same = compare_kernels(before, after, least)
    return Pair(
        baseline=labels[0],
        other=labels[1],
        source=source,
        notes=_notes(before, after, source, tested),
        permutations=tested.permutations,
        shared_samples=tested.shared_samples,
        rows=tested.rows,
        steps=compare_steps(before, after, least),
        kernels=kernels,
        same_kernels=same,
        overlaps=overlaps(before, after, labels, source),
    )


def _notes(before: Summary, after: Summary, source: str, tested: Tested) -> list[str]:
    """What a reader must know to believe the rows."""
    notes = []
    fewest = min(len(before.requests), len(after.requests))
    if source == TRACE:
        notes.append("times are of the traces: one file or both have no pass without a profiler, so nothing is tested")
    elif source == MEDIANS:
        notes.append("one file or both keep medians only, not each request, so nothing is tested")
    elif all(row.verdict == UNTESTED for row in tested.rows if row.p is not None):
        notes.append(f"{fewest} requests a side are too few to test anything; record more (--requests 10)")
    elif fewest < FEW_REQUESTS:
        notes.append(f"{fewest} requests a side show wide gaps only; record more (--requests 10)")
    first, second = before.run or {}, after.run or {}
    if first and second:
        notes += [
            f"the runs differ in {key}: {first.get(key)} and {second.get(key)}"
            for key in ("device", "dtype", "seed", "decode")
            if first.get(key) != second.get(key)
        ]
    if before.device.kind != after.device.kind:
        notes.append("one trace has device work, the other only operators on the CPU: their kernels are not alike")
    return notes

"""Summaries beside each other: the first is the baseline of all others."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, product
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from tracer.compare.abstained import abstentions
from tracer.compare.beside import beside
from tracer.compare.device import beside_device
from tracer.compare.drift import Known
from tracer.compare.figures import REQUESTS, SOURCES, best_source
from tracer.compare.kernels import compare_kernels
from tracer.compare.notes import notes
from tracer.compare.options import differing_options
from tracer.compare.order import order_is_known, refuse_repeated, share_recordings, took_turns
from tracer.compare.roles import compare_roles, compare_speculation
from tracer.compare.rows import untested_rows
from tracer.compare.steps import compare_steps, overlaps
from tracer.compare.tested import LEAST_ALLOWANCE, tested_rows
from tracer.compare.totals import compare_totals
from tracer.compare.verdicts import ERROR_RATE
from tracer.document.comparison import SCHEMA, Comparison, Pair, Run
from tracer.document.summary import require_read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.document.summary import Summary


def compare(
    summaries: Sequence[Summary],
    *,
    tolerance: float | None = None,
    recordings: int = 1,
    blocks: Sequence[int] | None = None,
    apart: bool = False,
) -> Comparison:
    """Compare each run with the first.

    Args:
        summaries: of two runs or more.
        recordings: summaries of each run; the first so many are those of the baseline.
        tolerance: drift between recordings that is allowed for, as a share; taken from them if None, see
            `tested.tested_rows`.
        blocks: of two runs in turns, the block of each recording.
        apart: whether the baseline was recorded at another time, so that nobody knows what has changed since.

    Raises:
        InputError: the work of one is in a form that is not read, or of several recordings one is there twice.
    """
    for summary in summaries:
        require_read(summary.trace.path, summary.abstained)
    drift = _Drift(tolerance, blocks, apart)
    letters = ("".join(letters) for length in (1, 2, 3) for letters in product(ascii_uppercase, repeat=length))
    made = [list(summaries[start : start + recordings]) for start in range(0, len(summaries), recordings)]
    for run in made:
        refuse_repeated(run)
    runs = [_run(label, run) for label, run in zip(islice(letters, len(made)), made, strict=True)]
    return Comparison(
        schema_=SCHEMA,
        error_rate=ERROR_RATE,
        tolerance=tolerance,
        runs=runs,
        pairs=[
            _pair(made[0], others, (runs[0].label, run.label), drift)
            for run, others in zip(runs[1:], made[1:], strict=True)
        ],
    )


@dataclass(frozen=True, slots=True)
class _Drift:
    """What is known of how recordings differ: see `compare`."""

    tolerance: float | None
    blocks: Sequence[int] | None
    apart: bool

    def known(self, baseline: Sequence[Summary], other: Sequence[Summary]) -> Known:
        """What tells a difference between the runs from one between their recordings."""
        if self.tolerance is None and self.apart:
            return Known.APART
        if self.blocks is not None:
            return Known.IN_TURNS
        if self.tolerance is not None:
            return Known.ALLOWED
        if len(baseline) == 1:
            return Known.ALONE
        if share_recordings(baseline, other):
            return Known.SHARED
        if not order_is_known(baseline, other):
            return Known.UNTOLD
        return Known.ALLOWED if took_turns(baseline, other) else Known.ONE_BY_ONE


def _run(label: str, recordings: Sequence[Summary]) -> Run:
    from statistics import median

    summary = recordings[0]
    about = summary.run or {}
    requests = [request for recording in recordings for request in recording.requests]
    counts = {
        name: median(getattr(request, name) for request in requests) if requests else about.get(name)
        for name in ("visual_tokens", "prompt_tokens", "new_tokens")
    }
    named = " ".join(str(about[key]) for key in ("model", "size") if about.get(key))
    return Run(
        label=label,
        path=summary.trace.path,
        title=_title(named, about),
        requests=len(requests),
        warnings=[warning for recording in recordings for warning in recording.trace.warnings],
        recordings=len(recordings),
        **counts,
    )


def _title(named: str, about: Mapping[str, Any]) -> str:
    """What a run is of: eventgpt 7b, bfloat16 on NVIDIA H100; a script says no type of numbers."""
    where = " on ".join(str(about[key]) for key in ("dtype", "device") if about.get(key))
    return ", ".join(filter(None, [named, where]))


def _pair(baseline: Sequence[Summary], other: Sequence[Summary], labels: tuple[str, str], drift: _Drift) -> Pair:
    source = max((best_source(summary) for summary in (*baseline, *other)), key=SOURCES.index)
    before, after = baseline[0], other[0]
    known = drift.known(baseline, other)
    tested = (
        tested_rows(
            [one.requests for one in baseline],
            [one.requests for one in other],
            drift.tolerance,
            blocks=drift.blocks,
            unknown_drift=known.inconclusive,
        )
        if source == REQUESTS
        else untested_rows(before, after, source)
    )
    abstained = abstentions(baseline, other, labels, source, tested, known=known)
    least = LEAST_ALLOWANCE if drift.tolerance is None else drift.tolerance
    allowed = drift.tolerance is not None
    kernels, same = compare_kernels(before, after, least, allowed=allowed)
    return Pair(
        baseline=labels[0],
        other=labels[1],
        source=source,
        notes=notes(baseline, other, source, tested, abstained, known=known),
        permutations=tested.permutations,
        shared_samples=tested.shared_samples,
        rows=beside_device(tested.rows, baseline, other),
        steps=compare_steps(before, after, least, allowed=allowed),
        kernels=kernels,
        same_kernels=same,
        overlaps=overlaps(before, after, labels, source),
        recordings=len(baseline),
        inconclusive=known.inconclusive,
        work=_work(before, after),
        totals=compare_totals(before, after),
        roles=compare_roles(before, after),
        speculation=compare_speculation(before, after),
        options=differing_options(before, after),
        beside=beside(before, after),
        abstained=abstained,
    )


def _work(before: Summary, after: Summary) -> str:
    """What times in the traces are those of."""
    kinds = {summary.device.kind == "gpu" for summary in (before, after)}
    return "mixed" if len(kinds) > 1 else "device" if kinds.pop() else "operators"

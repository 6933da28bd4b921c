"""What a reader must know to believe the rows of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.compare.abstained import DIFFER, FEW, LATENCIES, RECORD, UNMEASURED, how_many, too_few
from tracer.compare.drift import KERNELS_BESIDE, Known
from tracer.compare.verdicts import UNLIKE
from tracer.document.names import DECODE
from tracer.document.summary import UNSTAGED, Abstained, Lost
from tracer.document.words import counted, duration, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracer.compare.rows import Tested
    from tracer.document.summary import Held, Spread, Summary

# Batches of serving engines whose counts are further apart than this share are no longer alike.
UNLIKE_BATCH = 0.1
HELD = {
    "prompts": ("prompt", "prompts"),
    "prompt_tokens": ("token of prompts", "tokens of prompts"),
    "sequences": ("sequence", "sequences"),
    "kv_tokens": ("KV token", "KV tokens"),
}


def notes(
    baseline: Sequence[Summary],
    other: Sequence[Summary],
    source: str,
    tested: Tested,
    abstained: Sequence[Abstained],
    *,
    known: Known,
) -> list[str]:
    """Notes on a pair.

    Args:
        baseline, other: recordings of each run.
        source: of the figures.
        tested: the rows.
        abstained: what is not answered, of which nothing stays unsaid.
        known: what is known of drift.
    """
    before, after = baseline[0], other[0]
    said = [*_of_the_test(baseline, other, source, tested, known), *_of_lost_work(baseline, other)]
    return [
        *said,
        *_of_what_is_left(abstained, said),
        *_of_the_runs(before, after, tested),
        *_of_the_traces(before, after, next((one for one in abstained if one.what == UNSTAGED), None)),
        *_of_the_batches(before, after),
    ]


def _of_the_test(
    baseline: Sequence[Summary], other: Sequence[Summary], source: str, tested: Tested, known: Known
) -> Iterator[str]:
    if source in UNMEASURED:
        yield f"{UNMEASURED[source]}; {RECORD}"
    elif few := too_few(baseline, other, tested, known=known):
        yield few.because
    else:
        fewest, what, more = how_many(baseline, other, known=known)
        if fewest < FEW and known is not Known.IN_TURNS:
            yield f"{fewest} {what} a side show wide gaps only; record more ({more})"
        if known is Known.UNTOLD:
            yield known.value
        if known.inconclusive:
            on_device = baseline[0].device.kind == other[0].device.kind == "gpu"
            yield f"{known.value}, so none is claimed; {known.next_step}{KERNELS_BESIDE if on_device else ''}"


def _of_lost_work(baseline: Sequence[Summary], other: Sequence[Summary]) -> Iterator[str]:
    yield from dict.fromkeys(note for one in (*baseline, *other) if (note := _of_lost(one)))


def _of_lost(summary: Summary) -> str:
    lost = summary.lost
    if not isinstance(lost, Lost):
        return ""
    work = [stage.stage for stage in summary.stages if stage.device_time_ns is None]
    idle = [stage.stage for stage in summary.stages if stage.device_time_ns is not None and stage.idle_ns is None]
    parts = [f"{what} of {listed(of)}" for what, of in (("device work", work), ("idle time", idle)) if of]
    known = lost.of_steps - lost.steps
    but = f", but for {counted(known, 'decode step')} of which all is known" if DECODE in work and known else ""
    what = f"{listed(parts or ['device work'])} {'are' if len(parts) > 1 else 'is'} not compared{but}"
    return f"{summary.trace.path}: {lost.reason}, so its {what}; {lost.next_step}"


def _of_what_is_left(abstained: Sequence[Abstained], said: Sequence[str]) -> Iterator[str]:
    """What is not answered, but for what other notes say: of latencies, and of stages."""
    for one in abstained:
        if one.what not in (LATENCIES, DIFFER, UNSTAGED) and not any(one.reason in note for note in said):
            yield f"{one.what}: {one.because}"


def _of_the_runs(before: Summary, after: Summary, tested: Tested) -> Iterator[str]:
    if any(row.verdict == UNLIKE for row in tested.rows):
        yield (
            "the answers are of other lengths: decode and request are not compared as a whole; their rows per output "
            "token and TPOT are"
        )
    first, second = before.run or {}, after.run or {}
    if first and second:
        for key in ("device", "dtype", "seed", "decode"):
            if first.get(key) != second.get(key):
                yield f"the runs differ in {key}: {first.get(key)} and {second.get(key)}"


def _of_the_batches(before: Summary, after: Summary) -> Iterator[str]:
    """What steps of serving engines held, where that is not alike."""
    if before.serving is None or after.serving is None:
        return
    others = {row.stage: row for row in after.serving.held}
    for row in before.serving.held:
        other = others.get(row.stage)
        unlike = [] if other is None else [what for what in HELD if _apart(getattr(row, what), getattr(other, what))]
        if other is None or not unlike:
            continue
        first, second = (_said(one, unlike) for one in (row, other))
        yield (
            f"the median {row.stage} step holds {first} in {before.trace.path}, {second} in {after.trace.path}: times "
            "of steps that hold other batches are not alike; record both under one load"
        )


def _said(row: Held, counts: Sequence[str]) -> str:
    """These counts of the median step, and what a token takes."""
    said = ", ".join(counted(round(getattr(row, what).median), *HELD[what]) for what in counts)
    return said if row.ns_per_token is None else f"{said} ({duration(row.ns_per_token)} a token)"


def _apart(one: Spread | None, other: Spread | None) -> bool:
    """Whether medians differ by more than a tenth of the larger."""
    if one is None or other is None:
        return False
    low, high = sorted((one.median, other.median))
    return low < (1 - UNLIKE_BATCH) * high


def _of_the_traces(before: Summary, after: Summary, unstaged: Abstained | None) -> Iterator[str]:
    inferred = [one for one in (before, after) if one.trace.markers == "inferred"]
    if inferred:
        which = " and ".join(f"{one.trace.path} (confidence {one.trace.confidence or 0:.2f} of 1)" for one in inferred)
        yield (
            f"stages are inferred from what repeats in {which}: rows by stage are no surer than that; ranges around "
            "the stages, or tracer summarize --marker, make them known"
        )
    if unstaged is not None:
        what = "totals and kernels" if before.device.kind == after.device.kind else "totals"
        compared = f"their {what} are compared, of whatever each recorded"
        yield f"{unstaged.reason}: {compared}; {unstaged.next_step}"

"""What a reader must know to believe the rows of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.compare.abstained import DIFFER, FEW, LATENCIES, RECORD, UNMEASURED, how_many, too_few
from tracer.compare.drift import KERNELS_BESIDE, Known
from tracer.compare.verdicts import UNLIKE
from tracer.document.summary import UNSTAGED, Abstained, Lost
from tracer.document.words import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracer.compare.rows import Tested
    from tracer.document.summary import Summary


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
    for summary in (*baseline, *other):
        lost = summary.lost
        if isinstance(lost, Lost):
            unknown = [stage.stage for stage in summary.stages if stage.took_ns is None]
            what = f"device work of {listed(unknown)}" if unknown else "device work"
            yield f"{summary.trace.path}: {lost.reason}, so its {what} is not compared; {lost.next_step}"


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

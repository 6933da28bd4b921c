"""What a comparison does not answer, in the shape that all documents have for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tracer.compare.drift import Known
from tracer.compare.figures import MEDIANS, REQUESTS, TRACE
from tracer.compare.kernels import whole_kernels
from tracer.compare.totals import share_stages
from tracer.compare.verdicts import UNLIKE, UNTESTED
from tracer.document.summary import ALL_WORK, UNHEARD, UNJOINED, UNSTAGED, UNWORKED, Abstained, Lost, gathered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracer.compare.rows import Tested
    from tracer.document.summary import Summary

# What is not answered of latencies: what they are, or whether they differ.
LATENCIES, DIFFER = "latencies", "whether latencies differ"
KERNELS = "kernels"
UNMEASURED = {
    TRACE: "times are of the traces: one file or both have no pass without a profiler, so nothing is tested",
    MEDIANS: "one file or both keep medians only, not each request, so nothing is tested",
}
RECORD = "record both with tracer record --requests 10"
SAVE = "tracer summarize --marker names stages, and what it saves by --format json can be compared"
# With fewer a side the smallest p may not survive being adjusted for all rows.
FEW = 5


def abstentions(
    baseline: Sequence[Summary],
    other: Sequence[Summary],
    labels: tuple[str, str],
    source: str,
    tested: Tested,
    *,
    known: Known,
) -> list[Abstained]:
    """Gather them.

    Args:
        baseline, other: recordings of each run.
        labels: of both.
        source: of the figures.
        tested: the rows.
        known: what is known of drift between recordings.
    """
    sides = [of_side(summary, label) for run, label in zip((baseline, other), labels, strict=True) for summary in run]
    before, after = baseline[0], other[0]
    return gathered(
        *sides,
        _stages(before, after),
        _kernels(before, after),
        _unmeasured(source),
        too_few(baseline, other, tested, known=known) if source == REQUESTS else None,
        _drift(source, known),
    )


def of_side(summary: Summary, label: str) -> list[Abstained]:
    """What of a run is not compared because its work was not recorded, or cannot be joined to its stages."""
    lost = summary.lost
    if not isinstance(lost, Lost):
        return [
            msgspec.structs.replace(one, what=f"{one.what} in {label}")
            for one in summary.abstained
            if one.what.startswith(ALL_WORK) or one.what in (UNWORKED, UNHEARD, UNJOINED)
        ]
    unknown = [
        f"{'device work' if stage.device_time_ns is None else 'idle time'} of {stage.stage}"
        for stage in summary.stages
        if stage.took_ns is None
    ]
    return [
        Abstained(what=f"{what} in {label}", reason=lost.reason, next_step=lost.next_step)
        for what in unknown or ["device work"]
    ]


def too_few(baseline: Sequence[Summary], other: Sequence[Summary], tested: Tested, *, known: Known) -> Abstained | None:
    """That there are too few to test anything."""
    if not all(row.verdict in (UNTESTED, UNLIKE) for row in tested.rows if row.p is not None):
        return None
    fewest, what, more = how_many(baseline, other, known=known)
    reason = f"{fewest} {what} a side are too few to test anything"
    return Abstained(what=DIFFER, reason=reason, next_step=f"record more ({more})")


def how_many(baseline: Sequence[Summary], other: Sequence[Summary], *, known: Known) -> tuple[int, str, str]:
    """How many there are to test, of what, and how to get more."""
    if known is Known.IN_TURNS:
        return len(baseline), "recordings", "tracer ab --max-time 30min"
    if len(baseline) > 1:
        return len(baseline), "recordings", f"--recordings {FEW}"
    return min(len(baseline[0].requests), len(other[0].requests)), "requests", "tracer record --requests 10"


def _stages(before: Summary, after: Summary) -> Iterator[Abstained]:
    if not share_stages(before, after):
        which = "no stage is in both traces"
        if not before.stages or not after.stages:
            which = f"{'one trace has no' if before.stages or after.stages else 'neither trace has'} stages"
        yield Abstained(what=UNSTAGED, reason=which, next_step=SAVE)


def _kernels(before: Summary, after: Summary) -> Iterator[Abstained]:
    """What is not said of kernels; where work is missing, that is why."""
    sides = (before, after)
    if any(isinstance(one.lost, Lost) or not one.device.ops for one in sides):
        return
    if before.device.kind != after.device.kind:
        yield Abstained(
            what=KERNELS,
            reason="one trace has device work, the other none: kernels and operators are not alike",
            next_step="compare recordings of one kind of device",
        )
    elif not share_stages(before, after) and not all(whole_kernels(one) for one in sides):
        yield Abstained(
            what=KERNELS,
            reason="no stage is in both, and a saved summary does not tell the kernels of its whole trace",
            next_step="compare the traces themselves, or save them with tracer summarize --by kernel --format json",
        )


def _unmeasured(source: str) -> Iterator[Abstained]:
    if source in UNMEASURED:
        yield Abstained(what=LATENCIES if source == TRACE else DIFFER, reason=UNMEASURED[source], next_step=RECORD)


def _drift(source: str, known: Known) -> Iterator[Abstained]:
    if source == REQUESTS and known.inconclusive:
        yield Abstained(what=DIFFER, reason=known.value, next_step=known.next_step)

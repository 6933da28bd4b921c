"""What a comparison does not answer, in the shape that all documents have for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tracer.compare.figures import REQUESTS, TRACE
from tracer.document.summary import ALL_WORK, Abstained, Lost, gathered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracer.compare.drift import Known
    from tracer.document.summary import Summary

UNTESTED = "one file or both have no pass without a profiler, request by request"


def abstentions(
    baseline: Sequence[Summary], other: Sequence[Summary], labels: tuple[str, str], source: str, *, known: Known
) -> list[Abstained]:
    """Gather them.

    Args:
        baseline, other: recordings of each run.
        labels: of both.
        source: of the figures.
        known: what is known of drift between recordings.
    """
    sides = [of_lost(summary, label) for run, label in zip((baseline, other), labels, strict=True) for summary in run]
    return gathered(*sides, _stages(baseline[0], other[0]), _untested(source), _drift(source, known))


def of_lost(summary: Summary, label: str) -> list[Abstained]:
    """What of a run is not compared because the device ops of its launches are missing."""
    lost = summary.lost
    if not isinstance(lost, Lost):
        unsure = [one for one in summary.abstained if one.what.startswith(ALL_WORK)]
        return [msgspec.structs.replace(one, what=f"{one.what} in {label}") for one in unsure]
    unknown = [
        f"{'device work' if stage.device_time_ns is None else 'idle time'} of {stage.stage}"
        for stage in summary.stages
        if stage.took_ns is None
    ]
    return [
        Abstained(what=f"{what} in {label}", reason=lost.reason, next_step=lost.next_step)
        for what in unknown or ["device work"]
    ]


def _stages(before: Summary, after: Summary) -> Iterator[Abstained]:
    if not before.stages or not after.stages:
        yield Abstained(
            what="stages",
            reason="one trace or both have none",
            next_step="tracer summarize --marker names them, and what it saves by --format json can be compared",
        )


def _untested(source: str) -> Iterator[Abstained]:
    if source != REQUESTS:
        what = "latencies" if source == TRACE else "whether latencies differ"
        yield Abstained(what=what, reason=UNTESTED, next_step="record both with tracer record --requests 10")


def _drift(source: str, known: Known) -> Iterator[Abstained]:
    if source == REQUESTS and known.inconclusive:
        yield Abstained(what="whether latencies differ", reason=known.value, next_step=known.next_step)

"""One row for each stage: all of its runs together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.summary import Stage
from tracer.kernels.categories import by_category
from tracer.measure.idle import idle_of
from tracer.measure.kernels import kernel_rows
from tracer.measure.lost import lost_ops
from tracer.measure.takes import whole_runs
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from tracer.document.manifest import Manifest
    from tracer.measure.counts import RangeCounts
    from tracer.measure.runs import Runs

NEEDS = Want.SUMMARY


def stage_rows(strings: list[str], runs: Runs, counts: RangeCounts, manifest: Manifest | None) -> list[Stage]:
    """Add up the runs of each stage that occurs, in the order of a request.

    Args:
        strings: the trace's names.
        runs: of its stages.
        counts: of the same ranges.
        manifest: of the recording, if it has one.
    """
    whole = whole_runs(runs, manifest)
    return [_row(strings, runs, counts, stage, whole.get(stage)) for stage in runs.stages()]


def _row(strings: list[str], runs: Runs, counts: RangeCounts, stage: str, of_runs: int | None) -> Stage:
    own = runs.of(stage)
    recorded, whole = len(runs.recorded(own)) == len(own), len(runs.whole(own)) == len(own)
    kernels = kernel_rows(strings, runs.work, runs.rows(own)) if recorded else None
    idle = idle_of(runs, own) if whole else None
    return Stage(
        stage=stage,
        calls=len(own),
        ops=int(runs.ops[own].sum()),
        device_time_ns=int(runs.time_ns[own].sum()) if recorded else None,
        busy_ns=int(runs.busy_ns[own].sum()) if recorded else None,
        idle_ns=None if idle is None else idle.total_ns,
        idle=idle,
        span_ns=runs.span_ns(own) if recorded else None,
        cpu_ns=runs.cpu_ns(own),
        counts=counts.of(own),
        wall_ns=runs.takes_ns(own) if whole else None,
        recorded_runs=runs.count(own),
        of_runs=of_runs,
        role=runs.ranges.role_of(stage),
        kernels=kernels,
        categories=None if kernels is None else by_category((kernel.name, kernel.time_ns) for kernel in kernels),
        lost=lost_ops(runs, own),
    )

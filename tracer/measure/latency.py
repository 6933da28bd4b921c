"""What a user waits for, from the clean pass where the trace has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import PREFILL, REQUEST, TPOT, TTFT
from tracer.document.summary import Latency, Percentiles, measures
from tracer.measure.distortion import distortion
from tracer.measure.requests import marked_stages, sample_statistics, statistics

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracer.document.manifest import Manifest
    from tracer.document.summary import RequestLatency


def percentile(values: Sequence[int], percent: int) -> int:
    """The observed value at or above `percent` percent of the others (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def percentiles(values: Sequence[int]) -> Percentiles | None:
    """The percentiles that reports show, or None of nothing."""
    if not values:
        return None
    return Percentiles(p50=percentile(values, 50), p90=percentile(values, 90), p99=percentile(values, 99))


def clean_latency(manifest: Manifest, rows: Sequence[RequestLatency]) -> Latency | None:
    """Latencies of the clean pass, whose `rows` these are; None if it measured nothing.

    TTFT is request start to the end of prefill's token. TPOT is (end of last token - end of token 0) divided
    by (tokens - 1). ITL are the gaps between tokens; of those that one step yields, none. All are taken per request;
    medians are reported.
    """
    if not rows:
        return None
    from statistics import median

    taken = [measures(row) for row in rows]
    tpot = [row[TPOT] for row in taken if TPOT in row]
    return Latency(
        source="clean",
        clock=manifest.clock,
        requests=len(rows),
        ttft_ns=_median(row[TTFT] for row in taken) if PREFILL in manifest.stages else None,
        tpot_ns=round(median(tpot)) if tpot else None,
        itl_ns=percentiles([gap for row in rows for gap in row.decode_ns]),
        request_ns=_median(row[REQUEST] for row in taken),
        tokens_per_s=manifest.shape.batch_size * 1e9 / median(tpot) if tpot and median(tpot) else None,
        stages_ns={stage: _median(row[stage] for row in taken) for stage in marked_stages(manifest)},
        distortion=distortion(manifest),
        statistics=statistics(rows),
        samples=sample_statistics(manifest, rows),
        outside_ns=_median(row.outside_ns + row.outside_later_ns for row in rows),
        tokens_per_step=_tokens_per_step(rows),
    )


def _tokens_per_step(rows: Sequence[RequestLatency]) -> float | None:
    steps = sum(len(row.decode_ns) for row in rows)
    yielded = sum(sum(row.step_tokens) if row.step_tokens else len(row.decode_ns) for row in rows)
    return yielded / steps if steps else None


def _median(values: Iterable[float]) -> int:
    from statistics import median  # it imports more than all of this package, and few traces need it

    return round(median(values))

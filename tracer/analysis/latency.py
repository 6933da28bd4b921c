"""What a user waits for, from the clean pass where the trace has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.analysis.requests import sample_statistics, statistics
from tracer.grammar import DECODE, LOAD, PREFILL, PREPROCESS, VISION
from tracer.summary import Latency, Percentiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracer.manifest import Latencies, Manifest
    from tracer.summary import RequestLatency


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
    by (tokens - 1). ITL are the gaps between tokens. All are taken per request; medians are reported.
    """
    requests = manifest.clean
    if not requests:
        return None
    gaps = [gap for request in requests for gap in request.decode_ns]
    from statistics import median

    tpot = [sum(request.decode_ns) / len(request.decode_ns) for request in requests if request.decode_ns]
    stages = {stage: _median(_stage_ns(request, stage) for request in requests) for stage in _STAGES}
    return Latency(
        source="clean",
        clock=manifest.clock,
        requests=len(requests),
        ttft_ns=_median(_to_first_token(request) for request in requests),
        tpot_ns=round(median(tpot)) if tpot else None,
        itl_ns=percentiles(gaps),
        request_ns=_median(_to_first_token(request) + sum(request.decode_ns) for request in requests),
        tokens_per_s=manifest.shape.batch_size * 1e9 / median(tpot) if tpot and median(tpot) else None,
        stages_ns=stages,
        distortion=_distortion(manifest),
        statistics=statistics(rows),
        samples=sample_statistics(manifest, rows),
    )


_STAGES = (LOAD, PREPROCESS, VISION, PREFILL, DECODE)


def _median(values: Iterable[int]) -> int:
    from statistics import median  # it imports more than all of this package, and few traces need it

    return round(median(values))


def _to_first_token(request: Latencies) -> int:
    return request.load_ns + request.preprocess_ns + request.vision_ns + request.prefill_ns


def _stage_ns(request: Latencies, stage: str) -> int:
    return {
        LOAD: request.load_ns,
        PREPROCESS: request.preprocess_ns,
        VISION: request.vision_ns,
        PREFILL: request.prefill_ns,
        DECODE: sum(request.decode_ns),
    }[stage]


def _distortion(manifest: Manifest) -> dict[str, float]:
    """Profiled over clean, per stage; decode over the steps that were profiled."""
    from statistics import median

    if not manifest.profiled:
        return {}
    first = manifest.profiled[0].first_step
    steps = min(len(request.decode_ns) for request in manifest.profiled)
    steps = min([steps, *(len(request.decode_ns) - first + 1 for request in manifest.clean)])
    ratios = {}
    for stage in _STAGES:
        if stage == DECODE:
            clean = [sum(request.decode_ns[first - 1 : first - 1 + steps]) for request in manifest.clean]
            profiled = [sum(request.decode_ns[:steps]) for request in manifest.profiled]
        else:
            clean = [_stage_ns(request, stage) for request in manifest.clean]
            profiled = [_stage_ns(request, stage) for request in manifest.profiled]
        if median(clean) > 0 and (stage != DECODE or steps > 0):
            ratios[stage] = median(profiled) / median(clean)
    return ratios

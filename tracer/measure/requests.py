"""The requests of the clean pass, one by one and in statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import DECODE, LOAD, PREFILL, PREPROCESS, VISION
from tracer.document.summary import MEDIAN, RequestLatency, SampleLatency, Statistic, measures
from tracer.statistics.intervals import median_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.manifest import Latencies, Manifest


def request_rows(manifest: Manifest) -> list[RequestLatency]:
    """Each request of the clean pass, with what it was given."""
    return [_row(request, manifest) for request in manifest.clean]


def _row(request: Latencies, manifest: Manifest) -> RequestLatency:
    known = request.sample < len(manifest.samples)
    given = manifest.samples[request.sample] if known else manifest.shape
    return RequestLatency(
        stages_ns={stage: stage_ns(request, stage) for stage in marked_stages(manifest)},
        outside_ns=request.outside_ns,
        outside_later_ns=request.outside_later_ns,
        decode_ns=request.decode_ns,
        first_step=request.first_step,
        sample=request.sample if known else 0,
        sample_name=manifest.samples[request.sample].name if known else "",
        batch_size=given.batch_size,
        visual_tokens=given.visual_tokens,
        prompt_tokens=given.prompt_tokens,
        new_tokens=request.prefill_tokens + sum(request.step_tokens) if request.step_tokens else given.new_tokens,
        prefill_tokens=request.prefill_tokens,
        step_tokens=request.step_tokens,
    )


def marked_stages(manifest: Manifest) -> list[str]:
    """The stages that a recording's latencies tell apart, in their order."""
    return [stage for stage in (LOAD, PREPROCESS, VISION, PREFILL, DECODE) if stage in manifest.stages]


def stage_ns(request: Latencies, stage: str) -> int:
    """What a request spent in a stage, in nanoseconds."""
    return {
        LOAD: request.load_ns,
        PREPROCESS: request.preprocess_ns,
        VISION: request.vision_ns,
        PREFILL: request.prefill_ns,
        DECODE: sum(request.decode_ns) + request.decode_whole_ns,
    }[stage]


def statistics(requests: Sequence[RequestLatency]) -> list[Statistic]:
    """Every measure over these requests."""
    taken = [measures(request) for request in requests]
    names = dict.fromkeys(name for row in taken for name in row)
    return [_statistic(name, [row[name] for row in taken if name in row]) for name in names]


def sample_statistics(manifest: Manifest, requests: Sequence[RequestLatency]) -> list[SampleLatency]:
    """The same for each sample; of a recording with one input, nothing."""
    return [
        SampleLatency(
            name=sample.name,
            batch_size=sample.batch_size,
            frames=sample.frames,
            visual_tokens=sample.visual_tokens,
            prompt_tokens=sample.prompt_tokens,
            new_tokens=sample.new_tokens,
            statistics=statistics([request for request in requests if request.sample == number]),
        )
        for number, sample in enumerate(manifest.samples)
    ]


def _statistic(name: str, values: list[float]) -> Statistic:
    from statistics import fmean, median

    ordered = sorted(values)
    interval = median_interval(values)
    return Statistic(
        of=name,
        n=len(values),
        mean_ns=fmean(values),
        p50_ns=median(values),
        p95_ns=round(ordered[-(-len(ordered) * 95 // 100) - 1]),  # nearest rank
        low_ns=None if interval is None else interval.low,
        high_ns=None if interval is None else interval.high,
        level=None if interval is None else interval.level,
        interval_of=MEDIAN,
    )

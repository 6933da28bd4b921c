"""Latencies that cannot be those of their stages: what else rests on them is not said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tracer.document.names import DECODE, PREFILL, TPOT, TTFT
from tracer.document.words import duration, title

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tracer.document.summary import Latency, RequestLatency, RunTime


def without_doubted(latency: Latency | None, times: Mapping[str, RunTime]) -> Latency | None:
    """The same without the stages whose time the recording's clock did not see, and what is made of them."""
    doubted = {stage for stage, time in times.items() if time.doubted_ns is not None}
    if latency is None or not doubted:
        return latency
    gone = doubted | ({TPOT} if DECODE in doubted else set()) | ({TTFT} if PREFILL in doubted else set())
    return replace(
        latency,
        ttft_ns=None if TTFT in gone else latency.ttft_ns,
        tpot_ns=None if TPOT in gone else latency.tpot_ns,
        itl_ns=None if TPOT in gone else latency.itl_ns,
        tokens_per_s=None if TPOT in gone else latency.tokens_per_s,
        stages_ns={stage: time_ns for stage, time_ns in latency.stages_ns.items() if stage not in gone},
        distortion={stage: ratio for stage, ratio in latency.distortion.items() if stage not in gone},
        statistics=[one for one in latency.statistics if one.of not in gone],
        samples=[
            replace(sample, statistics=[one for one in sample.statistics if one.of not in gone])
            for sample in latency.samples
        ],
    )


def requests_without_doubted(requests: Sequence[RequestLatency], times: Mapping[str, RunTime]) -> list[RequestLatency]:
    """The requests without the time that each spent in such a stage, which is then in no stage."""
    doubted = {stage for stage, time in times.items() if time.doubted_ns is not None}
    return [_without(request, doubted) for request in requests] if doubted else list(requests)


def _without(request: RequestLatency, doubted: Collection[str]) -> RequestLatency:
    gone = {stage: time_ns for stage, time_ns in request.stages_ns.items() if stage in doubted}
    later_ns = gone.get(DECODE, 0)
    return replace(
        request,
        stages_ns={stage: time_ns for stage, time_ns in request.stages_ns.items() if stage not in gone},
        decode_ns=[] if DECODE in gone else request.decode_ns,
        step_tokens=[] if DECODE in gone else request.step_tokens,
        outside_ns=request.outside_ns + sum(gone.values()) - later_ns,
        outside_later_ns=request.outside_later_ns + later_ns,
    )


def doubts(times: Mapping[str, RunTime]) -> list[str]:
    """A sentence for each stage whose latency is none."""
    return [
        f"{title(stage)} took {duration(time.doubted_ns)} by the recording's clock, but the device worked "
        f"{duration(time.busy_ns)} for it in the trace: its work ran where that clock does not look (a stream that "
        "nobody waits for), so that is no latency of it; make the stage wait for its work, or record with "
        "tracer record --sync-stages"
        for stage, time in times.items()
        if time.doubted_ns is not None and time.busy_ns is not None
    ]

"""`preprocess-dominates-ttft`: the first token waits for pictures to be read and resized."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import LOAD, PREPROCESS, TTFT
from tracer.document.words import duration, listed
from tracer.findings.rule import Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence
    from tracer.findings.rule import Saving

SHARE = 0.25
# All that is done with a request before the model is.
BEFORE = (LOAD, PREPROCESS)

FINDING = Rule(
    id="preprocess-dominates-ttft",
    severity="warning",
    rule=(
        "load and preprocess take more than a quarter of the time to the first token, in the median request without a "
        "profiler; not on a CPU, which the model shares with it"
    ),
    reason=(
        "Pictures are read, resized and tokenised before the model begins, on the host: no faster kernel, and no "
        "faster device, brings the first token nearer by that. The gain is all of it, as if it were done before the "
        "request comes: an upper bound."
    ),
    next_step=(
        "prepare the next request while the device works on this one, resize on the device or in several processes, "
        "and keep what was prepared of pictures that come again"
    ),
    rank=180,
)


def find(evidence: Evidence) -> Found | None:
    """How much of the time to the first token is over before the model begins."""
    latency = evidence.latency
    if latency is None or not latency.ttft_ns or not evidence.on_gpu:
        return None
    from statistics import median

    from tracer.document.summary import measures

    rows = [row for request in evidence.requests if (row := measures(request)).get(TTFT)]
    stages = [stage for stage in BEFORE if latency.stages_ns.get(stage)]
    if not rows or not stages:
        return None
    before_ns = [sum(row[stage] for stage in stages) for row in rows]
    shares = [taken_ns / row[TTFT] for taken_ns, row in zip(before_ns, rows, strict=True)]
    share = median(shares)
    if share <= SHARE:
        return None
    taken_ns, ttft_ns = median(before_ns), median([row[TTFT] for row in rows])
    take = "take" if len(stages) > 1 else "takes"
    return Found(
        f"{listed(stages)} {take} {share:.0%} of the time to the first token: {duration(taken_ns)} of "
        f"{duration(ttft_ns)}, without a profiler, before the model begins",
        {
            "share": share,
            "ttft_ns": round(ttft_ns),
            "stages": {stage: latency.stages_ns[stage] for stage in stages},
            "requests": len(rows),
        },
        _gain(evidence, stages),
    )


def _gain(evidence: Evidence, stages: list[str]) -> Saving | None:
    """What these stages take of a request, where that was measured of requests like the recorded one."""
    times = [evidence.times[stage] for stage in stages if stage in evidence.times]
    saved_ns = sum(time.total_ns for time in times if time.clean)
    return evidence.saves(saved_ns, "all of load and preprocess, done before the request comes; at most")

"""`launch-bound`: the device waits for the host's launches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import LOAD, PREPROCESS
from tracer.document.words import CLOCK, OTHER_CLOCK, title
from tracer.findings.rule import EACH_STAGE, Found, Rule, Unanswered

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence
    from tracer.measure.known import KnownStage

IDLE = 0.5
# Their work is the host's: files are read, pictures resized. The device waits for that, and no graph would shorten it.
ON_HOST = (LOAD, PREPROCESS)

FINDING = Rule(
    id="launch-bound",
    severity="warning",
    rule=(
        "more than half of a stage's time on the device is idle with the cause host, and the stage takes more than "
        "twice the time in which any device works, without a profiler where that was measured; not load and "
        "preprocess, whose work is the host's, and not what a serving engine's device waits between steps"
    ),
    reason=(
        "The device has nothing to do because the next kernel has not been launched yet: the host is the limit, "
        "and faster kernels gain nothing. The gain is what a run takes beyond its busy time: an upper bound."
    ),
    next_step="launch less: CUDA graphs or torch.compile(mode='reduce-overhead') over a static cache, or batching",
    rests_on=EACH_STAGE,
    rank=60,
)


def find(evidence: Evidence) -> Found | Unanswered | None:
    """Stages in which the device mostly waits for launches; the one that loses most time is named first."""
    if not evidence.on_gpu:
        return None
    if evidence.work.clock_is_off:
        return Unanswered(CLOCK, OTHER_CLOCK)
    shares = {
        stage.stage: _host_share(evidence, stage)
        for stage in evidence.stages
        if stage.ops and stage.stage not in ON_HOST
    }
    bound = [name for name, share in shares.items() if share > IDLE and _idles(evidence, name)]
    if not bound:
        return None
    lost = {name: evidence.times[name].waiting_ns * evidence.times[name].runs for name in bound}
    worst = max(bound, key=lambda name: lost[name])
    others = [title(name) for name in bound if name != worst]
    message = (
        f"{title(worst)} waits for launches: the device is idle, and nothing asked for, {shares[worst]:.0%} of its time"
    )
    return Found(
        message + (f" ({' and '.join(others)} too)" if others else ""),
        {"stages": {name: {"host_idle_share": shares[name], "waiting_ns": round(lost[name])} for name in bound}},
        evidence.saves(sum(lost.values()), "what these stages take beyond their busy time; at most"),
    )


def _host_share(evidence: Evidence, stage: KnownStage) -> float:
    window_ns = stage.busy_ns + stage.idle_ns
    between = evidence.between_steps
    host_ns = stage.idle.host_ns - (between.host_ns_of(stage.stage) if between is not None else 0)
    return host_ns / window_ns if window_ns else 0.0


def _idles(evidence: Evidence, stage: str) -> bool:
    """Whether more than half of a run is idle, on all of its devices at once."""
    time = evidence.times[stage]
    return time.waiting_ns > IDLE * time.step_ns

"""`draft-waits-for-host`: while tokens are drafted, the device mostly waits to be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import DRAFT
from tracer.document.words import CLOCK, OTHER_CLOCK, duration
from tracer.findings.engines import REPLAY
from tracer.findings.rule import Found, Rule, Unanswered

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

SHARE = 0.5

FINDING = Rule(
    id="draft-waits-for-host",
    severity="warning",
    rule="more than half of the busy and idle time of a model's drafting is idle with the cause `host`",
    reason=(
        "A draft is small: its kernels are over before the host has asked for the next ones, so that a smaller draft "
        "is no faster. The gain is that idle time, at most."
    ),
    next_step="replay the draft's step as a CUDA graph (torch.compile(mode='reduce-overhead') over a static cache)",
    rests_on=DRAFT,
    rank=45,
)


def find(evidence: Evidence) -> Found | Unanswered | None:
    """How long the device waits while tokens are drafted."""
    stage = evidence.stage(DRAFT)
    if stage is None or not evidence.on_gpu or evidence.speculation is None:
        return None
    role = evidence.speculation.roles.get(DRAFT)
    if not stage.ops or (role is not None and role.passes == 0):
        return None  # what is drafted is looked up in the prompt: there is no model whose step could be replayed
    charged_ns, host_ns = stage.busy_ns + stage.idle_ns, stage.idle.host_ns
    if evidence.work.clock_is_off:  # whether anything had been asked for is by both clocks
        return Unanswered(CLOCK, OTHER_CLOCK) if stage.idle_ns > SHARE * charged_ns else None
    if host_ns <= SHARE * charged_ns:
        return None
    return Found(
        f"drafting waits for the host: the device is idle, and nothing asked for, {host_ns / charged_ns:.0%} of its "
        f"time ({duration(host_ns)} of {duration(charged_ns)})",
        {"host_ns": host_ns, "charged_ns": charged_ns, "busy_ns": stage.busy_ns},
        evidence.saves(host_ns, "the draft's idle time with the cause host"),
        instead=f"{REPLAY}, the draft's too" if evidence.ranges.engine else None,
    )

"""`idle-between-steps`: the device waits between a serving engine's steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.words import CLOCK, OTHER_CLOCK, counted, duration
from tracer.findings.engines import AHEAD
from tracer.findings.rule import ALL_STAGES, Found, Rule, Saving, Unanswered

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

SHARE = 0.1
# Where the host waits for the device, `sync-per-token` says so; of an unknown cause nothing is claimed.
WHY = {
    "host": "nothing was asked for meanwhile, as the engine schedules, samples and prepares inputs",
    "launch": "the next work had been asked for and did not start",
}
HELD_UP = (
    "look in Perfetto at what the stream waits for there: an event of another stream, whose work may not be recorded, "
    "or a copy; leave out the first steps, which the start of a profiler holds up"
)

FINDING = Rule(
    id="idle-between-steps",
    severity="warning",
    rule=(
        "more than a tenth of the device's time, busy and idle, is idle with the cause host or launch in gaps that no "
        "one step of a serving engine lies on both sides of; without pauses, in which no step was open and nothing had "
        "been asked for"
    ),
    reason=(
        "Requests in flight wait there, and no faster kernel shortens it. The gain is all of that time: at most, and "
        "the profiler makes the host's part of it longer."
    ),
    next_step=f"{AHEAD}, and look at what its scheduler does between two steps",
    rests_on=ALL_STAGES,
    rank=55,
)


def find(evidence: Evidence) -> Found | Unanswered | None:
    """How long the device idles between steps, and mainly why."""
    between = evidence.between_steps
    if between is None:
        return None
    told = between.told
    if evidence.work.clock_is_off:  # what had been asked for before a gap ended is by both clocks
        return Unanswered(CLOCK, OTHER_CLOCK) if told.idle.unknown_ns > SHARE * told.of_ns else None
    causes = {cause: int(getattr(told.idle, f"{cause}_ns")) for cause in WHY}
    idle_ns = sum(causes.values())
    if idle_ns <= SHARE * told.of_ns:
        return None
    main = max(causes, key=lambda cause: causes[cause])
    longest = f", the longest {duration(told.longest_ns)}" if told.gaps > 1 else ""
    message = (
        f"the device idles {duration(idle_ns)} between steps, {idle_ns / told.of_ns:.0%} of its time, in "
        f"{counted(told.gaps, 'gap')}{longest}: in {duration(causes[main])} of it {WHY[main]}"
    )
    return Found(
        message,
        {"idle_ns": idle_ns, "gaps": told.gaps, "longest_ns": told.longest_ns, "of_ns": told.of_ns, "causes": causes},
        Saving(
            idle_ns, of_ns=told.of_ns, of="the devices' busy and idle time in the trace", basis="all of it; at most"
        ),
        instead=HELD_UP if main == "launch" else None,
    )

"""`sync-per-token`: every decode step waits for the device."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tracer.document.names import DECODE
from tracer.document.words import CLOCK, OTHER_CLOCK, duration
from tracer.findings.engines import AHEAD
from tracer.findings.evidence import median
from tracer.findings.rule import Found, Rule, Unanswered

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

FEWEST_STEPS = 3
DRAINED = 0.02
UNLOCATED = "recorded with stacks (tracer record --with-stack), the trace names the line of Python that waits"
LOCATED = (
    "read nothing from the device in each step: no .item() and no bool() of a tensor there; test for stop tokens now "
    "and then"
)

FINDING = Rule(
    id="sync-per-token",
    severity="warning",
    rule=(
        "the median decode step makes at least one synchronising call, and the gaps behind them are more than a "
        "fiftieth of decode's time on the device"
    ),
    reason=(
        "The host cannot launch ahead while it waits, so the device runs dry until the next launch. The gain is "
        "the gap before the first op that is launched after each wait, but no more than decode steps take beyond "
        "their busy time, without a profiler where that was measured; at most, as it holds launch latency too. "
        "Of a step that has ten times the gaps of the usual one these count: it was not the wait. "
        "Of a trace with stacks the finding names the innermost function around the call that is not a library's, "
        "by the line it begins at, and which library function waits for it; of a file beyond 128 MB by a sample of the "
        "waits (waits_located of them)."
    ),
    next_step="keep the token on the device (no .item(), no bool() of a tensor); test for stop tokens now and then",
    rests_on=DECODE,
    rank=120,
)


def find(evidence: Evidence) -> Found | Unanswered | None:
    """Every step waits for the device, which then has nothing to do until the next launch."""
    tokens, stage = evidence.tokens, evidence.stage(DECODE)
    if len(tokens) < FEWEST_STEPS or stage is None or not evidence.on_gpu:
        return None
    if median([token.counts.waits for token in tokens]) < 1:
        return None
    if evidence.work.clock_is_off:  # whether the device ran dry behind a wait is by both clocks
        return Unanswered(CLOCK, OTHER_CLOCK)
    waits = evidence.waits
    if waits.gaps_ns <= DRAINED * (stage.busy_ns + stage.idle_ns):
        return None
    calls = Counter(waits.names)
    name, count = calls.most_common(1)[0]
    a_step_ns = waits.gaps_ns / len(tokens)
    located, words = _located(evidence, name)
    return Found(
        f"each decode step waits for the device ({name}, {count / len(tokens):.1f} times a step{words}), which then "
        f"idles {duration(a_step_ns)} until its next op begins",
        {"calls": dict(calls), "steps": len(tokens), "gaps_ns": waits.gaps_ns, "wait_ns": stage.counts.wait_ns}
        | located,
        evidence.saves(
            min(a_step_ns, evidence.times[DECODE].waiting_ns) * evidence.times[DECODE].runs,
            "the gap before the first op launched after each wait, in the trace, within what decode waits; at most",
        ),
        also=None if located or evidence.ranges.engine else UNLOCATED,
        instead=AHEAD if evidence.ranges.engine else LOCATED if located else None,
    )


def _located(evidence: Evidence, name: str) -> tuple[dict[str, object], str]:
    """The line that most often makes this call, beside all that wait, and the same in words; nothing without stacks."""
    places = evidence.lines_that_wait()
    of_name = Counter(
        place for place, call in zip(places, evidence.waits.names, strict=False) if call == name and place[1]
    )
    if not of_name:
        return {}, ""
    line, words = of_name.most_common(1)[0][0]
    lines = Counter(words for _, words in places if words)
    found: dict[str, object] = {"line": line, "lines": dict(lines.most_common())}
    # Of a large file some of the waits are looked for.
    return found | ({} if lines.total() == len(places) else {"waits_located": lines.total()}), f", by {words}"

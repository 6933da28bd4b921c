"""What is worth knowing about a run: every rule is asked, and the answers put in order."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from tracer.document.makers import in_words_of
from tracer.document.names import ALL_STAGES as ORDER
from tracer.document.names import DECODE
from tracer.findings.registry import findings
from tracer.findings.rule import ALL_STAGES, EACH_STAGE, RECORDED, ROOFLINE, STEPS, Found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.document.summary import Abstained, Finding, Lost
    from tracer.findings.evidence import Evidence
    from tracer.findings.rule import Rule


def find(evidence: Evidence) -> list[Finding]:
    """Apply every rule: what is wrong first, then what would gain most, then by rank."""
    return ask(evidence)[0]


def ask(evidence: Evidence) -> tuple[list[Finding], list[Abstained]]:
    """The same, and what rules cannot say of this trace, in their order."""
    from tracer.document.summary import Abstained  # msgspec, which `tracer explain` never loads

    answers, abstained = [], []
    for file in findings().values():
        rule = file.FINDING
        for what, why in _unanswered(rule, evidence):
            abstained.append(Abstained(what=what, reason=why.reason, next_step=why.next_step))
        found = None if rule.rests_on and _rests_on_what_is_lost(rule, evidence) else file.find(evidence)
        if isinstance(found, Found):
            answers.append((rule, _document(rule, found, evidence.maker)))
        elif found is not None:
            abstained.append(Abstained(what=f"finding {rule.id}", reason=found.reason, next_step=found.next_step))
    answers.sort(key=lambda answer: _place(*answer))
    return [finding for _, finding in answers], abstained


def _unanswered(rule: Rule, evidence: Evidence) -> Iterator[tuple[str, Lost | Abstained]]:
    """What of the rule is not asked, and why: all of it, or of each stage of which it might speak."""
    why = (evidence.lost or evidence.untold) if rule.rests_on else None
    if why is None:
        return
    if rule.rests_on == EACH_STAGE or (rule.rests_on == ROOFLINE and evidence.roofline is not None):
        yield from ((f"finding {rule.id} of {stage}", why) for stage in ORDER if stage in evidence.unknown)
    elif _rests_on_what_is_lost(rule, evidence):
        yield f"finding {rule.id}", why


def _rests_on_what_is_lost(rule: Rule, evidence: Evidence) -> bool:
    if rule.rests_on == RECORDED and evidence.lost is None:
        return False
    if rule.rests_on in (ALL_STAGES, RECORDED):
        # What was lost outside all of them may have been any stage's, and the whole is unknown as well.
        return bool(evidence.unknown) or (evidence.lost is not None and bool(evidence.stages))
    if rule.rests_on == STEPS:
        return DECODE in evidence.unknown and not evidence.tokens
    return rule.rests_on in evidence.unknown


def _place(rule: Rule, finding: Finding) -> tuple[bool, bool, int]:
    """Sorting is stable and the rules come in the order of their ranks."""
    return finding.severity != "error", not rule.leads, 0 if finding.gain is None else -finding.gain.time_ns


def _document(rule: Rule, found: Found, maker: str) -> Finding:
    from tracer.document.summary import Finding, Gain  # msgspec, which `tracer explain` never loads

    gain = found.gain
    return Finding(
        id=rule.id,
        severity=found.severity or rule.severity,
        message=found.message,
        evidence=found.evidence,
        rule=rule.rule,
        next_step=in_words_of(maker, "; ".join(step for step in (found.instead or rule.next_step, found.also) if step)),
        gain=None if gain is None else Gain(**asdict(gain)),
    )

"""What is worth knowing about a run: every rule is asked, and the answers put in order."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from tracer.findings.registry import findings

if TYPE_CHECKING:
    from tracer.document.summary import Finding
    from tracer.findings.evidence import Evidence
    from tracer.findings.rule import Found, Rule


def find(evidence: Evidence) -> list[Finding]:
    """Apply every rule: what is wrong first, then what would gain most, then by rank."""
    asked = ((file.FINDING, file.find(evidence)) for file in findings().values())
    answers = [(rule, _document(rule, found)) for rule, found in asked if found is not None]
    answers.sort(key=lambda answer: _place(*answer))
    return [finding for _, finding in answers]


def _place(rule: Rule, finding: Finding) -> tuple[bool, bool, int]:
    """Sorting is stable and the rules come in the order of their ranks."""
    return finding.severity != "error", not rule.leads, 0 if finding.gain is None else -finding.gain.time_ns


def _document(rule: Rule, found: Found) -> Finding:
    from tracer.document.summary import Finding, Gain  # msgspec, which `tracer explain` never loads

    gain = found.gain
    return Finding(
        id=rule.id,
        severity=found.severity or rule.severity,
        message=found.message,
        evidence=found.evidence,
        rule=rule.rule,
        next_step="; ".join(step for step in (found.instead or rule.next_step, found.also) if step),
        gain=None if gain is None else Gain(**asdict(gain)),
    )

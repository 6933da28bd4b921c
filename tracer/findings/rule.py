"""What a finding's file is made of: the words of its rule, and what the rule found.

Plain data without imports: `tracer explain` reads the words of all findings and loads nothing heavy for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["info", "warning", "error"]
# What a finding needs to be known: all stages, each that it speaks of, those of the roofline, or decode steps.
ALL_STAGES, EACH_STAGE, ROOFLINE, STEPS = "all stages", "each stage", "roofline", "decode steps"
# All stages, of ops that were recorded, whosever they are.
RECORDED = "recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The part of a finding that is the same for every trace.

    Attributes:
        id: stable name, the file's with hyphens.
        severity: how bad it is; a rule that tells cases apart gives `Found` another.
        rule: when it is raised.
        reason: why that matters, and how its gain is estimated.
        next_step: what to do first.
        rests_on: what must have been recorded as a whole: `ALL_STAGES`, `EACH_STAGE` that it speaks of, each of the
            `ROOFLINE`, some `STEPS` of decoding, one stage by its name, or all that was `RECORDED`. Where work of that
            was launched and not recorded the finding abstains. "" where device work does not bear on it.
        leads: said before all others that are no errors, whatever those gain.
        rank: order among findings of equal gain, the lowest first; of equal ranks by id.
    """

    id: str
    severity: Severity
    rule: str
    reason: str
    next_step: str
    rests_on: str = ""
    leads: bool = False
    rank: int = 1000


@dataclass(frozen=True, slots=True)
class Saving:
    """What heeding a finding would save: an estimate, never a measurement.

    Attributes:
        time_ns: saved.
        of_ns: of this.
        of: what `of_ns` is the time of, in words.
        basis: how it was estimated.
        at_most: whether it is an upper bound; else what `basis` would save, if that were done.
    """

    time_ns: int
    of_ns: int
    of: str
    basis: str
    at_most: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found in a trace.

    Attributes:
        message: one sentence with its figures.
        evidence: the figures by name; plain numbers and text, since a document is made of them.
        gain: what could be saved, where it can be estimated.
        severity: where it is not the rule's.
        also: what to do besides the rule's next step.
        instead: what to do in place of it.
    """

    message: str
    evidence: dict[str, Any]
    gain: Saving | None = None
    severity: Severity | None = None
    also: str | None = None
    instead: str | None = None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """That a rule cannot be held against a trace: why, and what to do."""

    reason: str
    next_step: str

"""A finding's reasoning, and what its rule found in a trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracer.document.summary import Abstained, Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Why there is such a finding, and whether a trace has it.

    Attributes:
        id, rule, reason, next_step: of the finding: its name, when it is raised, why that matters, what to do.
        trace: where it was looked for; None where it was not.
        found: the finding as it is there; None where it is not.
        abstained: why it cannot be told there, where it cannot.
    """

    id: str
    rule: str
    reason: str
    next_step: str
    trace: str | None = None
    found: Finding | None = None
    abstained: tuple[Abstained, ...] = ()

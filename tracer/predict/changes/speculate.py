"""`--speculate`: tokens are drafted, and checked in one step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracer.document.names import DECODE

if TYPE_CHECKING:
    from tracer.predict.asked import Changes
    from tracer.predict.runs import Case


def apply(case: Case, changes: Changes) -> list[str]:
    """Divide the decode steps by the tokens that each makes, down to one step."""
    if changes.speculate is None:
        return []
    drafted, accepted = changes.speculate
    decode = case.needed(DECODE, "--speculate")
    # Leviathan, Kalman and Matias, arXiv:2211.17192, equation 1, as the sum that it comes from.
    tokens = sum(accepted**kept for kept in range(drafted + 1))
    case.runs[DECODE] = replace(decode, runs=max(min(1.0, decode.runs), decode.runs / tokens))
    text = (
        f"--speculate {drafted}@{accepted:g}: {tokens:.2f} tokens a step; checking {drafted + 1} tokens takes as long "
        "as making one, and drafting takes nothing"
    )
    return [text]

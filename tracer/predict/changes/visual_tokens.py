"""`--visual-tokens`: some of the visual tokens are merged or left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.errors import InputError
from tracer.document.names import DECODE, PREFILL
from tracer.predict.runs import OF_TWO

if TYPE_CHECKING:
    from tracer.predict.asked import Changes
    from tracer.predict.runs import Case


def apply(case: Case, changes: Changes) -> list[str]:
    """Shrink prefill by its operations, and decode by the cache that it reads."""
    if changes.visual_tokens is None:
        return []
    token = case.summary.roofline.visual_token if case.summary.roofline else None
    if token is None:
        pair = "" if case.summary.drafting is None else f": {OF_TWO}"
        raise InputError(f"{case.path}: its recording does not say what a visual token costs{pair}")
    gone = 1 - changes.visual_tokens
    prefill = case.needed(PREFILL, "--visual-tokens")
    case.runs[PREFILL] = prefill.busy_for(max(0.0, prefill.busy_ns * (1 - gone * token.prefill_share)))
    text = (
        f"--visual-tokens {changes.visual_tokens:g}: prefill's busy time falls with its operations, "
        f"{token.prefill_share:.0%} of which are for visual tokens; vision runs as before"
    )
    if DECODE in case.runs and token.decode_ns is not None:
        decode = case.runs[DECODE]
        case.runs[DECODE] = decode.busy_for(max(0.0, decode.busy_ns - gone * token.count * token.decode_ns))
        text += "; decode steps read that much less cache, at peak bandwidth"
    return [text]

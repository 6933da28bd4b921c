"""`slow-first-token`: something is set up inside the measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.words import duration
from tracer.findings.engines import LATER
from tracer.findings.evidence import median
from tracer.findings.rule import STEPS, Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

FEWEST_STEPS = FEWEST_REQUESTS = 3
FIRST_STEP = 2.0
FIRST_REQUEST = 1.5

FINDING = Rule(
    id="slow-first-token",
    severity="warning",
    rule=(
        "the first decode step of a request takes more than twice the median step, or vision and prefill of the "
        "first request half as much again as of the others that were given the same, or pictures and prompts as long, "
        "and twice as far above their median as the slowest of them"
    ),
    reason="Something is set up inside the measurement: kernels loaded, tuned or compiled, memory allocated.",
    next_step="warm up longer (tracer record --warmup), or report the first request apart",
    rests_on=STEPS,
    rank=150,
)


def find(evidence: Evidence) -> Found | None:
    """The first request, or each request's first step, is slower than the others."""
    return _first_request(evidence) or _first_steps(evidence)


def _first_request(evidence: Evidence) -> Found | None:
    like = [one.vision_ns + one.prefill_ns for one in evidence.like_the_first]
    if len(like) <= FEWEST_REQUESTS or not evidence.on_gpu:  # what else a CPU does falls on any request
        return None
    first_ns, *rest = like
    usual_ns = median(rest)
    if not usual_ns or first_ns <= FIRST_REQUEST * usual_ns or first_ns - usual_ns <= 2 * (max(rest) - usual_ns):
        return None
    return Found(
        f"vision and prefill of the first request took {duration(first_ns)}, of the others {duration(usual_ns)}",
        {"first_ns": first_ns, "others_ns": round(usual_ns), "requests": 1 + len(rest)},
    )


def _first_steps(evidence: Evidence) -> Found | None:
    firsts = [token.busy_ns + token.idle_ns for token in evidence.tokens if token.index == 1]
    rest = [token.busy_ns + token.idle_ns for token in evidence.tokens if token.index > 1]
    if not firsts or len(rest) < 2 * FEWEST_STEPS or not evidence.on_gpu:
        return None
    first_ns, usual_ns = median(firsts), median(rest)
    if not usual_ns or first_ns <= FIRST_STEP * usual_ns:
        return None
    return Found(
        f"the first decode step takes {duration(first_ns)}, the median of the others {duration(usual_ns)}"
        f"{evidence.of_steps}",
        {"first_ns": round(first_ns), "others_ns": round(usual_ns), "requests": len(firsts)},
        instead=LATER if evidence.ranges.engine else None,
    )

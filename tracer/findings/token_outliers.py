"""`token-outliers`: decode steps that make the slow tail."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tracer.document.words import CLOCK, OTHER_CLOCK, duration
from tracer.findings.rule import STEPS, Found, Rule, Saving, Unanswered

if TYPE_CHECKING:
    from tracer.document.summary import Outlier
    from tracer.findings.evidence import Evidence

# The cause of a step that is longer by idle time of which nobody knows why.
UNKNOWN = "unknown"

FINDING = Rule(
    id="token-outliers",
    severity="info",
    rule=(
        "decode steps take more than 5 robust standard deviations (1.4826 times the median absolute deviation) and a "
        "tenth above the median step; on a CPU, which others use too, if they do in every recorded request"
    ),
    reason="They make the slow tail that users notice. The gain is what they take beyond the median, added up.",
    next_step="look at the named steps in Perfetto; the cause says on which side of the launch to look",
    rests_on=STEPS,
    rank=160,
)


def find(evidence: Evidence) -> Found | Unanswered | None:
    """Steps that stand out, with their causes."""
    outliers = told = _repeatable(evidence)
    if evidence.work.clock_is_off:  # a clock that jumps is idle time as well
        told = [outlier for outlier in outliers if outlier.cause != UNKNOWN]
    if not told:
        return Unanswered(CLOCK, OTHER_CLOCK) if outliers else None
    outliers = told
    causes = Counter(outlier.cause for outlier in outliers)
    worst = outliers[0]
    steps = "decode step stands" if len(outliers) == 1 else "decode steps stand"
    where = ", ".join(f"{count} {cause}" for cause, count in causes.most_common())
    gain = Saving(
        time_ns=sum(outlier.excess_ns for outlier in outliers),
        of_ns=sum(token.busy_ns + token.idle_ns for token in evidence.tokens),
        of=f"the decode steps in the trace{evidence.of_steps}",
        basis="what they take beyond the median step",
    )
    return Found(
        f"{len(outliers)} {steps} out (by cause: {where}); the longest is #{worst.index}, {duration(worst.excess_ns)} "
        f"above the median{evidence.of_steps}",
        {"steps": [[outlier.request, outlier.index] for outlier in outliers], "causes": dict(causes)},
        gain,
    )


def _repeatable(evidence: Evidence) -> list[Outlier]:
    """Those that the trace has; of a CPU those whose step stands out in each of several requests."""
    decoding = evidence.decoding
    if decoding is None or evidence.on_gpu:
        return [] if decoding is None else decoding.outliers
    times = Counter(outlier.index for outlier in decoding.outliers)
    return [one for one in decoding.outliers if decoding.requests > 1 and times[one.index] == decoding.requests]

"""What must be read of a trace for what was asked of it: at first, and once more if the trace turns out to need it.

Each measure says what it needs; here that is put together, and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.charge.stages.find import find_stages, missing_for_stages
from tracer.measure import annotations as ranges
from tracer.measure import counts, fusion, kernels, runs, stages, tokens, totals
from tracer.measure.roofline import analytic, attention, recorded
from tracer.measure.threads import worth_operators
from tracer.measure.ways import ways
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from tracer.choices import Choices
    from tracer.trace.columns import Trace

# Of what every summary has.
ALWAYS = (ranges, counts, fusion, kernels, runs, stages, tokens, totals, analytic)


def at_first(choices: Choices) -> Want:
    """What to read of a trace of which nothing is known."""
    # Without marks stages are told by modules, which few traces without stacks have.
    want = Want.MODULES_IF_STACKED
    for measure in ALWAYS:
        want |= measure.NEEDS
    if choices.by is not None:
        want |= ways()[choices.by].needs
    if choices.shapes:
        want |= recorded.NEEDS
    return want


def after_all(trace: Trace, choices: Choices) -> Want:
    """What else this trace needs, as it was read so far."""
    if trace.unread is not None:
        return Want(0)
    more = missing_for_stages(trace, choices.patterns)
    if not len(trace.ops) and trace.format == "chrome":
        # Operators are most of a file, and only a trace without device ops needs them.
        more |= Want.CPU_OPS
    if trace.format == "chrome" and attention.wants_heads(trace):
        more |= attention.NEEDS
    return more


def in_the_end(trace: Trace, choices: Choices) -> Want:
    """What is left to read of a trace that was read for all that: what tells why nothing marks its stages."""
    if trace.format == "chrome" and worth_operators(trace) and not find_stages(trace, choices.patterns).marked:
        return Want.CPU_OPS
    return Want(0)

"""What must be read of a trace for what was asked of it: at first, and once more if the trace turns out to need it.

Each measure says what it needs; here that is put together, and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.charge.intervals import Cover, distinct
from tracer.charge.stages.find import find_stages, marked_stages, missing_for_stages
from tracer.measure import annotations as ranges
from tracer.measure import counts, fusion, graph_names, kernels, runs, stages, tokens, totals
from tracer.measure.roofline import analytic, attention, recorded
from tracer.measure.threads import worth_operators
from tracer.measure.ways import ways
from tracer.trace.columns import NOTHING, Want

if TYPE_CHECKING:
    from tracer.choices import Choices
    from tracer.trace.columns import Trace

# Files of so many events are read for their operators whatever is in them, or if the device mostly waits.
ALWAYS_EVENTS, WAITING_EVENTS = 50_000, 500_000
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
    if choices.patterns:
        # Operators may be what they match: all of them, or none.
        want |= Want.CPU_OPS if want & Want.ASKERS else Want(0)
    if choices.capture is not None:
        want |= graph_names.OF_REPLAYS
    return want


def after_all(trace: Trace, choices: Choices) -> Want:
    """What else this trace needs, as it was read so far."""
    if trace.unread is not None:
        return Want(0)
    more = missing_for_stages(trace, choices.patterns)
    if trace.had & Want.ASKERS:
        more &= ~Want.CPU_OPS  # those there are have all the shapes that tell
    if not len(trace.ops) and trace.format == "chrome":
        # Operators are most of a file, and only a trace without device ops needs them.
        more |= Want.CPU_OPS
    if trace.format == "chrome" and attention.wants_heads(trace):
        more |= attention.NEEDS
    return more


def beside(trace: Trace, choices: Choices) -> Want:
    """What to read of the file once more, for what the host does in stages and for memory alone.

    Reading operators takes about 5 us each, so of a small file it is hardly noticed: a tenth of a second. Of a larger
    one they are read where its stages are marked and the device mostly waits, of the largest where somebody asks.
    """
    if trace.format != "chrome" or trace.unread is not None or not len(trace.ops):
        return NOTHING
    small = trace.events <= ALWAYS_EVENTS
    memory = Want.MEMORY if trace.memory is None and (small or trace.memory_recorded) else NOTHING
    if memory and trace.memory_recorded:
        return memory | Want.CPU_OPS  # which say who asked for it
    worth = small or (trace.events <= WAITING_EVENTS and mostly_idle(trace))
    if not worth or not len((find_stages if small else marked_stages)(trace, choices.patterns)):
        return memory
    return memory | (NOTHING if trace.had & (Want.CPU_OPS | Want.ASKERS) else Want.CPU_OPS)


def mostly_idle(trace: Trace) -> bool:
    """Whether the devices run nothing for more than half of the time from their first op to their last."""
    busy_ns = window_ns = 0
    for device in distinct(trace.ops.device):
        own = trace.ops.device == device
        start, end = trace.ops.start_ns[own], trace.ops.end_ns[own]
        busy_ns += Cover.of(start, end).length_ns
        window_ns += int(end.max()) - int(start.min())
    return 2 * busy_ns < window_ns


def in_the_end(trace: Trace, choices: Choices) -> Want:
    """What is left to read of a trace that was read for all that: what tells why nothing marks its stages."""
    if trace.had & Want.ASKERS:
        return Want(0)  # every thread that ran operators has some
    if trace.format == "chrome" and worth_operators(trace) and not find_stages(trace, choices.patterns).marked:
        return Want.CPU_OPS
    return Want(0)

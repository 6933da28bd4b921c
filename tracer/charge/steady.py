"""The steady part of a serving recording: ramp-up and ramp-down left out, by what the engine's labels say of the batch.

The sustained batch is the number of sequences that most steps hold within a tenth, of equally common ones the largest.
The steady part is the longest stretch of steps of which at least nine in ten hold it, first and last among them; steps
that only process prompts lie in it, and count for neither. What the stretch asked for is kept, whenever it ran.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct
from tracer.charge.launches import process_of_thread
from tracer.charge.window import within
from tracer.document.errors import InputError
from tracer.document.names import ALL_STAGES, DECODE, MIXED
from tracer.document.summary import SteadyPart
from tracer.document.words import counted

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import Trace

# Within one part in so many of the sustained batch.
WITHIN = 10
# Of a stretch at least so many steps for each that does not hold the batch.
HOLDING = 9
FEWEST = 8
# The sustained batch is held by one step in so many at least.
COMMON = 3
RULE = (
    f"the longest stretch of decoding steps of which at least {HOLDING} in {HOLDING + 1} hold the most common batch "
    f"within {100 // WITHIN} %"
)
_DECODING = tuple(map(ALL_STAGES.index, (DECODE, MIXED)))


def steady_part(trace: Trace, ranges: StageRanges) -> tuple[Trace, SteadyPart]:
    """What a trace holds of its steady part, and what that is.

    Args:
        trace: whole.
        ranges: its stages.

    Raises:
        InputError: it has no steady part, or nothing tells.
    """
    told = [place for place, label in enumerate(ranges.labels) if label.requests and ranges.stage[place] in _DECODING]
    if not told and any(label.requests for label in ranges.labels):
        raise InputError(
            f"{trace.path}: none of its steps decodes, so that nothing of it could be steady; leave out --steady"
        )
    if not told:
        raise InputError(
            f"{trace.path}: nothing says how many sequences a step holds, so no part of it is known to be steady; "
            "--steady is for traces with a serving engine's labels on their steps"
        )
    batches = int64([ranges.labels[place].requests or 0 for place in told])
    _one_load(trace, process_of_thread(trace)[ranges.thread[told]], batches)
    batch, holds = _sustained(batches)
    first, last = _longest(holds)
    if last - first < FEWEST or COMMON * int(holds.sum()) < len(holds):
        raise InputError(
            f"{trace.path}: no steady part: of {counted(len(told), 'decoding step')} {last - first:,} in a row hold "
            f"about {counted(batch, 'sequence')}, the most common batch; record longer under a constant load"
        )
    start_ns = int(ranges.start_ns[told[first]])
    kept, ops = within(trace, start_ns, int(ranges.end_ns[told[last - 1]]))
    if not len(kept.ops):
        raise InputError(f"{trace.path}: the steady steps asked for nothing that is recorded; leave out --steady")
    return kept, SteadyPart(
        batch=batch,
        steps=last - first,
        before=first,
        after=len(told) - last,
        ops_left_out=len(trace.ops) - len(kept.ops),
        time_left_out_ns=int((trace.ops.end_ns - trace.ops.start_ns)[~ops].sum()),
        rule=RULE,
    )


def _one_load(trace: Trace, process: I64, batches: I64) -> None:
    """Refuse ranks in one file that sustain different batches: no step of one is like the others'."""
    each = sorted({_sustained(batches[process == one])[0] for one in distinct(process)})
    if not _near(int64(each), each[-1]).all():
        raise InputError(
            f"{trace.path}: the ranks in it hold different batches ({each[0]:,} to {each[-1]:,} sequences), so that no "
            "one part is steady; give the file of one rank"
        )


def _sustained(batches: I64) -> tuple[int, Bools]:
    """The batch that most steps hold within the tolerance, and which do."""
    best = max(distinct(batches), key=lambda batch: (int(_near(batches, batch).sum()), batch))
    return int(best), _near(batches, best)


def _near(batches: I64, batch: int) -> Bools:
    return np.asarray(WITHIN * np.abs(batches - batch) <= batch, dtype=np.bool_)


def _longest(holds: Bools) -> tuple[int, int]:
    """First and last (not in it) of the longest stretch that begins and ends with True and is nine tenths True."""
    total = np.concatenate([[0], np.cumsum(np.where(holds, 1, -HOLDING))])
    lowest = np.minimum.accumulate(total)
    best = (0, 0)
    # The furthest place back from which the sum to here is not negative: sums so far, falling.
    for end in np.flatnonzero(holds).tolist():
        start = int(np.searchsorted(-lowest, -total[end + 1], side="left"))
        if end + 1 - start > best[1] - best[0]:
            best = (start, end + 1)
    first, last = best
    return first + int(np.argmax(holds[first:last])) if last else 0, last

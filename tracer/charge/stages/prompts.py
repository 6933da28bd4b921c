"""Which calls of a language model process a prompt, where generation's frames do not tell all of it.

What tells, in this order: a call is the first in a call of `generate`; the shapes of what a call was given; it follows
a picture; a step repeats the kernels (on a CPU the operators) of the steps beside it, a prompt runs others; and where
all calls ask for the same, the first keeps a device busy for much longer than most later ones, and these for much the
same time. Where nothing tells, nobody says: steps recorded without their prompt, a short prompt in front of its steps,
passes that check what was drafted, and prompts alone look alike then.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import Nest, outermost
from tracer.charge.launches import find_launches
from tracer.charge.stages.queries import Told, told_by_shapes
from tracer.statistics.robust import median

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.trace.columns import Trace

# Steps share this much of what they ask for; attention may change its kernel as the cache grows.
ALIKE = 0.8
LONGER = 1.5
# A later prompt takes this share of a known one at least.
RESEMBLES = 0.5
# What differs from most calls, and takes less than this share of their time, are steps: most calls are prompts then.
SHORTER = 0.67
# Steps take much the same time: this share of the usual one more or less, but for one in so many.
STEADY, BUT_ONE_IN = 0.25, 10


def are_prompts(trace: Trace, calls: I64, vision: I64, layers: I64) -> Told | None:
    """Which of a thread's calls of the language model, in their order, process a prompt; None where nothing tells.

    Args:
        trace: with modules.
        calls: rows of its modules.
        vision: the same of the vision towers' calls.
        layers: the same of decoder layers.
    """
    found = _in_generate(trace, calls)
    if found is not None:
        return Told(found, found, sure=True)
    told = told_by_shapes(trace, trace.modules[calls], trace.modules[layers])
    seen = np.searchsorted(np.sort(trace.modules.start_ns[vision]), trace.modules.end_ns[calls], side="left")
    pictured = np.asarray(np.diff(seen, prepend=0) > 0, dtype=np.bool_)
    if told is not None:
        # A decoder behind an encoder of pictures begins with a single position.
        return told if told.prompts.any() or not pictured.any() else Told(pictured, pictured, sure=True)
    found = _by_work(trace, calls, pictured)
    return None if found is None else Told(found, found, sure=bool(pictured.any()))


def _by_work(trace: Trace, calls: I64, pictured: Bools) -> Bools | None:
    """The same, by what each call asked for; those that follow a picture are known."""
    if len(calls) == 1:
        return np.ones(1, dtype=np.bool_)
    start, end = trace.modules.start_ns[calls], trace.modules.end_ns[calls]
    thread = int(trace.modules.thread[calls[0]])
    asked, taken = _asked(trace, thread, start, end)
    # How long the host took for a call says nothing of what it was asked for: anything may have come in between.
    timed = len(trace.ops) > 0
    found = pictured.copy()
    rest = np.flatnonzero(~found)
    if len(rest) < 2:
        return found
    odd = _unlike_most([asked[row] for row in rest.tolist()])
    if odd.any():
        turned = timed and not found.any() and median(taken[rest[odd]]) < SHORTER * median(taken[rest[~odd]])
        found[rest] = ~odd if turned else odd
        between, _ = _asked(trace, thread, np.append(start[:1], end[:-1]), start)
        return found if _hang_together(found, asked, between, taken if timed else None) else None
    if not timed:
        return None
    return found | _resembling(taken, found) if found.any() else _by_time(taken)


def _hang_together(found: Bools, asked: list[Counter[int]], between: list[Counter[int]], taken: I64 | None) -> bool:
    """Whether what is unlike the steps are prompts: like one another, or longer than steps.

    A pass that checks what was drafted is unlike a step too; in front of it the same is done as in front of a step,
    whereas a prompt comes from elsewhere. Where the first call is like the steps, either the recording began behind its
    prompt, or the prompt looks like them; then it takes longer.

    Args:
        found: which calls are unlike the steps.
        asked: what each asked for.
        between: the same of the time in front of each.
        taken: how long that took each call; None where nothing tells.
    """
    if not found[0] and (taken is None or taken[0] > LONGER * median(taken[~found])):
        return False
    first, *later = np.flatnonzero(found).tolist()
    if taken is not None and not found.all():
        later = [row for row in later if taken[row] <= LONGER * median(taken[~found])]
    usual = Counter(frozenset(between[row].items()) for row in np.flatnonzero(~found)[1:].tolist()).most_common(1)
    step = Counter(dict(usual[0][0])) if usual else Counter[int]()
    return all(
        _shared(asked[row], asked[first]) >= ALIKE and not (step and _shared(between[row], step) >= ALIKE)
        for row in later
    )


def _in_generate(trace: Trace, calls: I64) -> Bools | None:
    """The first call in each call of `generate`; None if some are in none, or that one began before it was recorded."""
    frames = trace.generation
    frames = frames[frames.thread == trace.modules.thread[calls[0]]]
    named = [number for number, name in enumerate(trace.strings) if name.endswith(": generate")]
    frames = frames[np.isin(frames.name, named)]
    frames = frames[outermost(frames.start_ns, frames.end_ns)]
    holder = Nest.of(frames.start_ns, frames.end_ns).innermost(trace.modules.start_ns[calls])
    if (holder < 0).any():
        return None
    return np.asarray(np.diff(holder, prepend=-1) != 0, dtype=np.bool_)


def _resembling(taken: I64, known: Bools) -> Bools:
    """Of calls that all ask for the same as known prompts: those that take as long as one."""
    longer = taken > LONGER * median(taken[~known])
    return np.asarray(longer & (taken >= RESEMBLES * median(taken[known])), dtype=np.bool_)


def _by_time(taken: I64) -> Bools | None:
    """Of calls that all ask for the same: the first, if it is longer than most, and those that resemble it."""
    later = median(taken[1:])
    if taken[0] <= LONGER * later:
        return None
    found = np.asarray((taken > LONGER * later) & (taken >= RESEMBLES * taken[0]), dtype=np.bool_)
    steps = taken[~found]
    usual = median(steps)
    # Batches of texts of any length are none.
    return found if BUT_ONE_IN * int((np.abs(steps - usual) > STEADY * usual).sum()) <= len(steps) else None


def _unlike_most(asked: list[Counter[int]]) -> Bools:
    """Which calls ask for something else than the commonest call; of equally common ones than the last."""
    counts: dict[frozenset[tuple[int, int]], list[int]] = {}
    for row, one in enumerate(asked):
        counts.setdefault(frozenset(one.items()), []).append(row)
    typical = asked[max(counts.values(), key=lambda rows: (len(rows), rows[-1]))[0]]
    return np.array([_shared(one, typical) < ALIKE for one in asked], dtype=np.bool_)


def _shared(one: Counter[int], other: Counter[int]) -> float:
    longest = max(one.total(), other.total())
    return (one & other).total() / longest if longest else 1.0


def _asked(trace: Trace, thread: int, start: I64, end: I64) -> tuple[list[Counter[int]], I64]:
    """What was asked for on a thread in each of these times, by name, and how long that took: work on the device, or
    operators without one."""
    if len(trace.ops):
        launch = find_launches(trace)
        rows = np.flatnonzero(launch >= 0)
        rows = rows[trace.calls.thread[launch[rows]] == thread]
        times, name = trace.calls.start_ns[launch[rows]], trace.ops.name[rows]
        lengths = trace.ops.end_ns[rows] - trace.ops.start_ns[rows]
    else:
        rows = np.flatnonzero(trace.cpu_ops.thread == thread)
        times, name = trace.cpu_ops.start_ns[rows], trace.cpu_ops.name[rows]
        lengths = np.zeros(len(rows), dtype=np.int64)
    order = np.argsort(times, kind="stable")
    total = np.append(0, np.cumsum(lengths[order]))
    low, high = np.searchsorted(times[order], start), np.searchsorted(times[order], end)
    names = name[order]
    asked = [Counter(names[a:b].tolist()) for a, b in zip(low.tolist(), high.tolist(), strict=True)]
    return asked, int64(total[high] - total[low] if len(trace.ops) else end - start)

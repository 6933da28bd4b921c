"""Which calls of a language model process a prompt, where no frame of `generate` tells.

What a call asks for tells before how long it takes: a step repeats the kernels (on a CPU the operators) of the steps
beside it, a prompt runs others. A call behind a picture is a prompt's. Only where all calls ask for the same does time
decide, and then only that the first is a prompt's, or one that resembles a known prompt: a disturbed step is none.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.launches import find_launches
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


def are_prompts(trace: Trace, calls: I64, vision: I64) -> Bools:
    """Which of a thread's calls of the language model, in their order, process a prompt.

    Args:
        trace: with modules.
        calls: rows of its modules.
        vision: the same of the vision towers' calls.
    """
    if len(calls) == 1:
        return np.ones(1, dtype=np.bool_)
    asked, taken = _asked(trace, calls)
    seen = np.searchsorted(np.sort(trace.modules.start_ns[vision]), trace.modules.end_ns[calls], side="left")
    found = np.asarray(np.diff(seen, prepend=0) > 0, dtype=np.bool_)
    rest = np.flatnonzero(~found)
    if len(rest) < 2:
        return found
    odd = _unlike_most([asked[row] for row in rest.tolist()])
    if odd.any():
        turned = not found.any() and median(taken[rest[odd]]) < SHORTER * median(taken[rest[~odd]])
        found[rest] = ~odd if turned else odd
        return found
    return found | _by_time(taken, found)


def _by_time(taken: I64, known: Bools) -> Bools:
    """Of calls that all ask for the same: the first, if it is longer than most, and those that resemble a prompt."""
    usual = median(taken[~known])
    longer = np.asarray(taken > LONGER * usual, dtype=np.bool_)
    if known.any():
        return np.asarray(longer & (taken >= RESEMBLES * median(taken[known])), dtype=np.bool_)
    later = median(taken[1:])
    if taken[0] <= LONGER * later:
        return np.zeros(len(taken), dtype=np.bool_)
    return np.asarray((taken > LONGER * later) & (taken >= RESEMBLES * taken[0]), dtype=np.bool_)


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


def _asked(trace: Trace, calls: I64) -> tuple[list[Counter[int]], I64]:
    """What each call asked for, by name, and how long that took: work on the device, or operators without one."""
    start, end = trace.modules.start_ns[calls], trace.modules.end_ns[calls]
    thread = int(trace.modules.thread[calls[0]])
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

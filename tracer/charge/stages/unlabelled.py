"""Whole passes behind a serving engine's step that no label speaks of.

Under data parallelism a rank without requests runs along with the others, so that their collectives do not hang:
vLLM's `execute_dummy_batch` has no range (vllm-project/vllm `v1/worker/gpu_worker.py`). Behind a step's range stand
sampling and drafting, which ask for far less than the pass itself. What asks once more for nearly all that the pass
did, kernel by kernel, is another pass, and no work of that step; so is the replay of a graph that is as large, whose
matrix products may have other names for a batch of another size. Where a draft is checked this is not asked: several
passes of a draft model may well look like one of the target.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.launches import find_launches
from tracer.trace.api import launches_graph

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.trace.columns import Trace

# Of a pass this share comes again, and it has so many kinds of ops at least: fewer may be anything.
AGAIN = 0.9
FEWEST_KINDS = 3
NEVER = np.iinfo(np.int64).max


def passes_behind(trace: Trace, thread: int, start_ns: I64, end_ns: I64) -> I64:
    """Of each step of a thread, when the first whole pass behind its range begins, before the next step; else NEVER.

    Args:
        trace: has the calls and what they launched.
        thread: of the steps.
        start_ns, end_ns: of the steps' ranges, in the order of their start.
    """
    found = np.full(len(start_ns), NEVER, dtype=np.int64)
    following = np.append(start_ns[1:], NEVER)
    asked = _enough_calls(trace, thread, start_ns, end_ns, following)
    if not len(asked):
        return found
    launch = find_launches(trace)
    rows = np.flatnonzero(launch >= 0)
    rows = rows[trace.calls.thread[launch[rows]] == thread]
    times, names = trace.calls.start_ns[launch[rows]], trace.ops.name[rows]
    order = np.argsort(times, kind="stable")
    times, names = times[order], names[order]
    replayed = np.unique(times[np.isin(times, trace.calls.start_ns[_graphs(trace)])])
    begin, over = (int64(np.searchsorted(times, replayed, side)) for side in ("left", "right"))
    first, last, end = (np.searchsorted(times, edge[asked]).tolist() for edge in (start_ns, end_ns, following))
    for place, low, middle, high in zip(asked.tolist(), first, last, end, strict=True):
        if high - middle < AGAIN * (middle - low):
            continue
        again = _replay(begin, over - begin, low, middle, high)
        if again is None:
            again = _begins(Counter(names[low:middle].tolist()), names[middle:high].tolist())
        if again is not None:
            found[place] = times[middle + again]
    return found


def _replay(begin: I64, size: I64, low: int, middle: int, high: int) -> int | None:
    """Where behind a step the first replay begins that is as large as the largest in it; None where there is none.

    Args:
        begin, size: of each replay of a graph, its first op and how many it has.
        low, middle, high: the step's ops, and those behind it.
    """
    first, last, end = np.searchsorted(begin, (low, middle, high)).tolist()
    largest = int(size[first:last].max(initial=0))
    as_large = np.flatnonzero(size[last:end] >= AGAIN * largest)
    return int(begin[last + as_large[0]]) - middle if largest >= FEWEST_KINDS and len(as_large) else None


def _graphs(trace: Trace) -> Bools:
    """Which calls launch a graph."""
    return np.array([launches_graph(name) for name in trace.strings], dtype=np.bool_)[trace.calls.name]


def _enough_calls(trace: Trace, thread: int, start_ns: I64, end_ns: I64, following: I64) -> I64:
    """The steps behind which there are as many calls as in them, or replays of graphs where they have some."""
    calls = np.flatnonzero(trace.calls.thread == thread)
    times, graphs = trace.calls.start_ns[calls], _graphs(trace)[calls]

    def counted(chosen: Bools) -> tuple[I64, I64]:
        own = np.sort(times[chosen])
        low, middle, high = (np.searchsorted(own, edge) for edge in (start_ns, end_ns, following))
        return int64(middle - low), int64(high - middle)

    inside, behind = counted(np.ones(len(calls), dtype=np.bool_))
    replays, replayed = counted(graphs)
    return int64(np.flatnonzero((inside > 0) & np.where(replays > 0, replayed > 0, behind >= AGAIN * inside)))


def _begins(whole: Counter[int], behind: list[int]) -> int | None:
    """Where in what a step asks for behind its range the first whole pass begins; None where there is none."""
    if len(whole) < FEWEST_KINDS:
        return None
    there = Counter(behind)
    for times in range(int(len(behind) / (AGAIN * whole.total())), 0, -1):
        passes = Counter({name: times * count for name, count in whole.items()})
        if (passes & there).total() >= AGAIN * passes.total():
            break
    else:
        return None
    # From behind: what stands in front of the passes is what the step itself asks for after its own.
    missing = passes & there
    for place in range(len(behind) - 1, -1, -1):
        if missing[behind[place]] > 0:
            missing[behind[place]] -= 1
            first = place
    return first

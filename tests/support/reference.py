"""Slow, obvious versions of what the analysis computes, to compare with. Read them as the definitions."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from tracer.trace.api import synchronises
from tracer.trace.columns import JITTER_NS, NO_CORRELATION, Trace


def launches(trace: Trace) -> list[int]:
    """For each op its launch: of the calls with its correlation, not inside another, the last before it.

    Without one before it the first behind it, unless that launched another op; a graph's may launch several, and one of
    them may begin a little before it.
    """
    calls = trace.calls
    by_correlation: dict[int, list[int]] = defaultdict(list)
    for i, correlation in enumerate(calls.correlation.tolist()):
        by_correlation[correlation].append(i)
    found, behind = [], []
    for op in range(len(trace.ops)):
        correlation = int(trace.ops.correlation[op])
        same = by_correlation[correlation] if correlation != NO_CORRELATION else []
        outer = [i for i in same if not any(_inside(trace, i, j) for j in same if j != i)]
        outer.sort(key=lambda i: (calls.start_ns[i], -calls.end_ns[i]))
        before = [i for i in outer if calls.start_ns[i] <= trace.ops.start_ns[op]]
        found.append(before[-1] if before else -1)
        behind.append(outer[0] if outer and not before else -1)
    return [
        one if one >= 0 or call < 0 else _behind(trace, op, call, found)
        for op, (one, call) in enumerate(zip(found, behind, strict=True))
    ]


def _behind(trace: Trace, op: int, call: int, before: list[int]) -> int:
    early = trace.calls.start_ns[call] - trace.ops.start_ns[op]
    graph = trace.strings[trace.calls.name[call]] == "cudaGraphLaunch"
    return call if call not in before or (graph and early <= JITTER_NS) else -1


def _inside(trace: Trace, i: int, j: int) -> bool:
    calls = trace.calls
    if calls.thread[i] != calls.thread[j]:
        return False
    one, two = ((calls.start_ns[k], calls.end_ns[k]) for k in (i, j))
    return bool(two[0] <= one[0] and one[1] <= two[1] and (one != two or j < i))


def innermost(spans: list[tuple[int, int]], time: int) -> int:
    """Of the spans that hold a time, the one that began last, then the shortest; -1 without one."""
    held = [i for i, (start, end) in enumerate(spans) if start <= time < end]
    return max(held, key=lambda i: (spans[i][0], -spans[i][1], i), default=-1)


def ledger(trace: Trace, opened: list[tuple[int, int]]) -> list[dict[str, int]]:
    """Walk every device's window nanosecond by nanosecond and charge each to one op. For small times only.

    `opened` has the stages and requests, of all threads; idle time outside them all is "between".
    """
    ops, calls = trace.ops, trace.calls
    launch = launches(trace)
    rows = [dict.fromkeys(("busy", "host", "sync", "launch", "unknown", "between"), 0) for _ in range(len(ops))]
    for device in sorted(set(ops.device.tolist())):
        own = [i for i in range(len(ops)) if ops.device[i] == device]
        own.sort(key=lambda i: (ops.start_ns[i], ops.stream[i], ops.correlation[i], i))
        for now in range(int(min(ops.start_ns[own])), int(max(ops.end_ns[own]))):
            running = [i for i in own if ops.start_ns[i] <= now < ops.end_ns[i]]
            if running:
                rows[running[0]]["busy"] += 1
                continue
            ender = next(i for i in own if ops.start_ns[i] > now)
            if opened and not any(start <= now < end for start, end in opened):
                rows[ender]["between"] += 1
            elif launch[ender] < 0:
                rows[ender]["unknown"] += 1
            elif now >= calls.start_ns[launch[ender]]:
                rows[ender]["launch"] += 1
            else:
                waits = any(
                    calls.thread[i] == calls.thread[launch[ender]]
                    and synchronises(trace.strings[calls.name[i]])
                    and calls.start_ns[i] <= now < calls.end_ns[i]
                    for i in range(len(calls))
                )
                rows[ender]["sync" if waits else "host"] += 1
    return rows


def self_times(trace: Trace) -> list[int]:
    """Nanoseconds in which each operator is the innermost of its thread."""
    spans = trace.cpu_ops
    total = [0] * len(spans)
    for thread in np.unique(spans.thread).tolist():
        own = [i for i in range(len(spans)) if spans.thread[i] == thread]
        bounds = [(int(spans.start_ns[i]), int(spans.end_ns[i])) for i in own]
        for now in range(min(start for start, _ in bounds), max(end for _, end in bounds)):
            found = innermost(bounds, now)
            if found >= 0:
                total[own[found]] += 1
    return total


def counts(trace: Trace, stages: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """For each stage (start, end, thread): calls that launched something, outermost waits, and their time."""
    calls = trace.calls
    launched = set(launches(trace)) - {-1}
    rows = [[0, 0, 0] for _ in stages]
    for i in range(len(calls)):
        own = [j for j, stage in enumerate(stages) if stage[2] == calls.thread[i]]
        found = innermost([stages[j][:2] for j in own], int(calls.start_ns[i]))
        if found < 0:
            continue
        row = rows[own[found]]
        row[0] += i in launched
        others = [j for j in range(len(calls)) if j != i and synchronises(trace.strings[calls.name[j]])]
        if synchronises(trace.strings[calls.name[i]]) and not any(_inside(trace, i, j) for j in others):
            row[1] += 1
            row[2] += int(calls.end_ns[i] - calls.start_ns[i])
    return [(row[0], row[1], row[2]) for row in rows]

"""Several models at once: what each takes beside the others, what it takes alone, and whether host or device is why.

Whose work is whose: by the roles of stages, where ranges say them on several threads. A profiler sees no ranges of
threads that did not start it; then a trace of each model by itself tells, since a model asks for the same kernels: the
thread that launched them is its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tracer.arrays import ascending, int64, rows_of_each
from tracer.charge.intervals import Cover, distinct
from tracer.charge.ledger import charge_device_ops
from tracer.charge.lost import find_lost
from tracer.charge.stages.ranges import StageRanges
from tracer.document.summary import Abstained, Alone, Idle, Joint, JointRole, LaunchingThread
from tracer.measure.early_tokens import beside_prefills, tokens_of
from tracer.measure.lost import describe
from tracer.trace.columns import NO_THREAD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracer.arrays import I64
    from tracer.charge.work import Work
    from tracer.document.summary import Lost
    from tracer.trace.columns import Trace

# A thread's ops are a model's if so many of both have the same names, and work is the same with as many ops, nearly.
ALIKE, SAME = 0.9, 0.01
# What explains more than this of what is lost is its cause.
MOST = 0.5
Solo = tuple["Trace", "Work"]
BESIDE = "what {} takes beside the others"


def joint(
    trace: Trace, ranges: StageRanges, work: Work, solos: Mapping[str, Solo], missing: Lost | None = None
) -> Joint | None:
    """Put them beside each other; None of one model, where nothing tells whose work is whose, and where it was lost.

    Args:
        trace: of all models.
        ranges: its stages.
        work: its work.
        solos: traces of models by themselves, by role.
        missing: what of the trace was launched and not recorded.
    """
    if not work.on_device or missing is not None:
        return None
    rows = _by_roles(ranges, work, asked=bool(solos)) or _by_solos(trace, work, solos)
    if len(rows) < 2:
        return None
    alone = {name: solos[name][0] if name in solos else None for name in rows}
    tokens = {name: tokens_of(trace, ranges, work, own, name, alone[name]) for name, own in rows.items()}
    roles = [
        msgspec.structs.replace(
            _role(name, trace, work, own, solos.get(name)),
            tokens=None if (told := tokens[name]) is None else len(told.end_ns),
            beside_prefill=beside_prefills(tokens, name),
        )
        for name, own in rows.items()
    ]
    busy_ns, both_ns, window_ns = _together(trace, list(rows.values()))
    processes = {thread.process for role in roles for thread in role.threads}
    return Joint(
        roles=roles,
        busy_ns=busy_ns,
        both_ns=both_ns,
        idle_ns=window_ns - busy_ns,
        one_process=len(processes) == 1 and all(role.threads for role in roles),
    )


def whole_solos(solos: Mapping[str, Solo]) -> tuple[dict[str, Solo], list[Abstained]]:
    """Those of which all was recorded, and why nothing is laid beside the others."""
    whole, unknown = {}, []
    for role, (alone, work) in solos.items():
        lost = describe(alone, StageRanges.none(), find_lost(alone, StageRanges.none(), work))
        if lost is None:
            whole[role] = alone, work
        else:
            reason = f"{alone.path}: {lost.reason}"
            unknown.append(Abstained(what=BESIDE.format(role), reason=reason, next_step=lost.next_step))
    return whole, unknown


def unmatched(found: Joint | None, solos: Mapping[str, Solo], missing: Lost | None = None) -> Iterator[Abstained]:
    """Models of which it is not said what they take beside the others: by themselves, or in the trace."""
    there = set() if found is None else {role.role for role in found.roles}
    for role in solos:
        what = BESIDE.format(role)
        if missing is not None:
            yield Abstained(what=what, reason=missing.reason, next_step=missing.next_step)
        elif role not in there:
            yield Abstained(
                what=what,
                reason="no stage has that role, and no thread launched the kernels of its own trace",
                next_step="give a trace of the same work, or mark the stages: tracer.stage(..., role=...)",
            )


def _by_roles(ranges: StageRanges, work: Work, *, asked: bool) -> dict[str, I64]:
    """The work of each role, where several threads have roles, or somebody asks."""
    names = list(dict.fromkeys(role for role in ranges.roles if role))
    if len(names) < 2:
        return {}
    role = np.array([*ranges.roles, ""], dtype=np.str_)
    threads = {name: set(ranges.thread[role[:-1] == name].tolist()) for name in names}
    apart = len(set().union(*threads.values())) > 1
    if not apart and not asked:
        return {}
    found = {str(name): int64(np.flatnonzero(role[work.stage] == name)) for name in names}
    return {name: rows for name, rows in found.items() if len(rows)}


def _by_solos(trace: Trace, work: Work, solos: Mapping[str, Solo]) -> dict[str, I64]:
    """The work of the thread that launched what each model launches by itself."""
    rows = dict(rows_of_each(work.call_thread))
    named = {thread: _names(trace, work, own) for thread, own in rows.items() if thread != NO_THREAD}
    found: dict[str, I64] = {}
    taken: set[int] = set()
    for role, (alone, of_alone) in solos.items():
        names = _names(alone, of_alone, int64(np.arange(len(of_alone))))
        fits = {thread: _likeness(names, theirs) for thread, theirs in named.items() if thread not in taken}
        best = max(fits, key=lambda thread: fits[thread], default=None)
        if best is not None and fits[best] >= ALIKE:
            found[role] = rows[best]
            taken.add(best)
    return found


def _names(trace: Trace, work: Work, rows: I64) -> Counter[str]:
    counts = np.bincount(work.name[rows], minlength=len(trace.strings))
    return Counter({trace.strings[code]: int(counts[code]) for code in np.flatnonzero(counts).tolist()})


def _likeness(one: Counter[str], other: Counter[str]) -> float:
    """How much of the larger of two multisets of names is in both, 0 to 1."""
    return (one & other).total() / max(one.total(), other.total(), 1)


def _role(name: str, trace: Trace, work: Work, rows: I64, solo: Solo | None) -> JointRole:
    busy_ns, idle = _charged(trace, work, rows)
    alone = None if solo is None else _alone(*solo)
    launching = [trace.threads[thread] for thread in distinct(work.call_thread[rows]) if thread != NO_THREAD]
    wall_ns = busy_ns + idle.total_ns
    same = alone is not None and abs(len(rows) - alone.ops) <= SAME * alone.ops and alone.wall_ns > 0
    lost = _lost(busy_ns, idle, alone) if alone is not None and same else None
    return JointRole(
        role=name,
        threads=[LaunchingThread(process=process, thread=thread) for process, thread in launching],
        ops=len(rows),
        device_time_ns=int(work.time_ns[rows].sum()),
        busy_ns=busy_ns,
        idle=idle,
        wall_ns=wall_ns,
        alone=alone,
        slowdown=wall_ns / alone.wall_ns if alone is not None and same else None,
        lost_ns=None if lost is None else sum(lost.values()),
        lost=lost,
        cause=None if lost is None else _cause(lost),
    )


def _alone(trace: Trace, work: Work) -> Alone:
    busy_ns, idle = _charged(trace, work, int64(np.arange(len(work))))
    return Alone(
        path=trace.path.encode("utf-8", "backslashreplace").decode(),
        ops=len(work),
        device_time_ns=int(work.time_ns.sum()),
        busy_ns=busy_ns,
        idle=idle,
        wall_ns=busy_ns + idle.total_ns,
    )


def _charged(trace: Trace, work: Work, rows: I64) -> tuple[int, Idle]:
    """Busy and idle time of some work as if it were the only one."""
    call = np.full(len(rows), -1, dtype=np.int64) if work.clock_is_off else work.call[rows]
    ledger = charge_device_ops(replace(trace, ops=trace.ops[rows]), int64(call), StageRanges.none())
    idle = Idle(
        host_ns=int(ledger.host_ns.sum()),
        sync_ns=int(ledger.sync_ns.sum()),
        launch_ns=int(ledger.launch_ns.sum()),
        unknown_ns=int(ledger.unknown_ns.sum()),
    )
    return int(ledger.busy_ns.sum()), idle


def _lost(busy_ns: int, idle: Idle, alone: Alone) -> dict[str, int]:
    return {
        "busy": busy_ns - alone.busy_ns,
        "host": idle.host_ns - alone.idle.host_ns,
        "sync": idle.sync_ns - alone.idle.sync_ns,
        "launch": idle.launch_ns - alone.idle.launch_ns,
        "unknown": idle.unknown_ns - alone.idle.unknown_ns,
    }


def _cause(lost: Mapping[str, int]) -> str | None:
    """What explains more than half: on the device are kernels that take longer, and those that wait for others'."""
    whole_ns = sum(lost.values())
    if whole_ns <= 0:
        return None
    parts = {"host": lost["host"], "device": lost["busy"] + lost["launch"], "sync": lost["sync"]}
    return next((name for name, time_ns in parts.items() if time_ns > MOST * whole_ns), None)


def _together(trace: Trace, rows: list[I64]) -> tuple[int, int, int]:
    """Time in which any ran, in which more than one did, and from the first op to the last.

    Summed over the devices that models share; of models on devices of their own it passes once.
    """
    ops = trace.ops
    every = int64(np.concatenate(rows))
    used = [distinct(ops.device[part]) for part in rows]
    devices = distinct(ops.device[every])
    apart = sum(map(len, used)) == len(devices)
    busy_ns = both_ns = window_ns = 0
    for shared in [devices] if apart else [[device] for device in devices]:
        covers = [
            Cover.of(ops.start_ns[own], ops.end_ns[own])
            for part in rows
            if len(own := part[np.isin(ops.device[part], shared)])
        ]
        edges = ascending(np.concatenate([side for cover in covers for side in (cover.start_ns, cover.end_ns)]))
        # How many models run in each piece between two edges.
        running = np.zeros(len(edges) - 1, dtype=np.int64)
        for cover in covers:
            running += cover.within(edges[:-1], edges[1:]) > 0
        lengths = np.diff(edges)
        busy_ns += int(lengths[running > 0].sum())
        both_ns += int(lengths[running > 1].sum())
        window_ns += int(edges[-1] - edges[0])
    return busy_ns, both_ns, window_ns

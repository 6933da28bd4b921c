"""Which host threads launched the device's work, and of which the profiler recorded nothing but that.

torch.profiler records operators, ranges and Python frames of the thread that started it; calls of the device's runtime
come from another recorder, which sees all threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import UNSET

from tracer.arrays import int64
from tracer.charge.intervals import Nest, distinct, sum_by
from tracer.document.summary import Abstained, HostThread, LostOps
from tracer.document.words import counted, duration
from tracer.trace.api import waits_for_all
from tracer.trace.columns import NO_THREAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tracer.charge.lost import LostWork
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace

# Rows of a document at most: servers have hundreds of threads.
MOST = 32
# What less is launched by, as a share of device time, is not worth a word.
MUCH = 0.05
UNKNOWN_TIME = "their time is unknown: launches lack device ops"
# Of what a thread launches so much lies in operators; the rest are waits.
NEARLY_ALL = 0.9
ALL_THREADS = (
    "let torch.profiler look at all threads: profile(..., "
    "experimental_config=_ExperimentalConfig(profile_all_threads=True)), with that class from torch._C._profiler, adds "
    "their operators and ranges, not their Python frames; or start the profiler in the thread that runs the model"
)
ONE_NUMBER = (
    "let the thread that was warmed up do what is recorded too (a pool of threads keeps its threads): a new thread "
    "that takes the place of one that has ended is given that one's number in its calls"
)
ANY_THREAD = "; where they work for the stage that is open on another thread, as a backward pass does: --any-thread"


def host_threads(trace: Trace, work: Work, lost: LostWork | None = None, *, staged: bool) -> list[HostThread]:
    """A row for each thread that launched something, the most device time first; of a CPU run none.

    Args:
        trace: of the work; without stages with its modules, and its operators where `worth_operators` says so.
        work: the trace's.
        lost: launches whose work was not recorded: how much of its thread's there was is not known.
        staged: whether it has stages that are marked; then operators are read of small files alone.
    """
    if not work.on_device:
        return []
    missing = int64([]) if lost is None else lost.calls
    asked = work.call_thread != NO_THREAD
    threads = int64(distinct(np.concatenate([int64(work.call_thread[asked]), int64(trace.calls.thread[missing])])))
    place, size = np.searchsorted(threads, work.call_thread[asked]), len(threads)
    ops, time_ns = np.bincount(place, minlength=size), sum_by(place, work.time_ns[asked], size)
    del place
    launching = np.zeros(len(trace.calls), dtype=np.bool_)
    launching[work.call[asked]] = True
    launching[missing] = True
    launches = np.bincount(np.searchsorted(threads, trace.calls.thread[launching]), minlength=size)
    lacks = np.bincount(np.searchsorted(threads, trace.calls.thread[missing]), minlength=size)
    spoken = _spoken(trace)
    # Where nothing at all was recorded but calls, or nobody looked, no thread is less recorded than others.
    looked = trace.operators is not None if staged else True
    heard = bool(spoken) or trace.stacks or started_elsewhere(trace, threads) is not None
    known = looked and trace.format == "chrome" and heard
    found = [
        HostThread(
            process=trace.threads[thread][0],
            thread=trace.threads[thread][1],
            launches=int(launches[number]),
            ops=int(ops[number]),
            device_time_ns=None if lacks[number] else int(time_ns[number]),
            ranges=int(np.count_nonzero(trace.ranges.thread == thread)),
            silent=False if thread in spoken else True if known else None,
            lost=LostOps(launches=int(lacks[number])) if lacks[number] else UNSET,
        )
        for number, thread in enumerate(threads.tolist())
    ]
    order = sorted(range(size), key=lambda number: (-time_ns[number], found[number].process, found[number].thread))
    return [found[number] for number in order[:MOST]]


def started_elsewhere(trace: Trace, launching: Iterable[int]) -> tuple[str, str] | None:
    """The thread of which a file has nothing but that it waited for the whole device, as one that starts a profiler.

    torch.profiler does so where it begins and ends. None where a launching thread did, or none or several others.

    Args:
        trace: with its calls.
        launching: threads that launched something.
    """
    waits = np.array([waits_for_all(name) for name in trace.strings], dtype=np.bool_)
    waiting = set(distinct(int64(trace.calls.thread[waits[trace.calls.name]])))
    others = set(distinct(int64(trace.calls.thread))) - set(launching)
    return trace.threads[others.pop()] if waiting == others and len(others) == 1 else None


def unheard(trace: Trace, threads: Sequence[HostThread], *, any_thread: bool) -> Iterator[Abstained]:
    """Of a trace with stages: threads that launched much, of which nothing says what they did.

    Args:
        trace: of the work.
        threads: that launched.
        any_thread: whether their work was given to the stages of others.
    """
    whole = sum(worked := weights(threads))
    silent = [row for row, much in zip(threads, worked, strict=True) if row.silent and much > MUCH * whole]
    if silent and len(silent) < len(threads):
        given = (
            "; --any-thread gave it to the stages that were open on another thread, which holds where these threads "
            "work for one model, and not where one drafts while the other processes its prompt"
        )
        yield Abstained(
            what="which stages other threads work for",
            reason=silence(trace, silent, len(trace.ops)) + (given if any_thread else ""),
            next_step=to_hear(trace, silent) + ("" if any_thread else ANY_THREAD),
        )


def weights(threads: Sequence[HostThread]) -> list[int]:
    """How much each of them asked for: device time, or launches where the time of any is unknown."""
    times = [row.device_time_ns for row in threads]
    known = [time_ns for time_ns in times if time_ns is not None]
    return known if len(known) == len(times) else [row.launches for row in threads]


def under_another_number(trace: Trace, silent: Sequence[HostThread]) -> str | None:
    """Which thread these really are: one with operators that launched nothing, in which nearly all they launched lies.

    torch.profiler numbers a thread in one way for its calls and in another for its operators: a new thread that takes a
    former one's place has the former one's number in its calls. None where no such thread is there for each of them.
    """
    spans = trace.cpu_ops if len(trace.cpu_ops) or trace.operators is None else trace.operators
    calling = set(distinct(int64(trace.calls.thread)))
    numbers = {thread: place for place, thread in enumerate(trace.threads)}
    # Threads that launch nothing are few, or they are no such ones.
    others = sorted(set(distinct(int64(spans.thread))) - calling)[:MOST]
    found = set[str]()
    for row in silent:
        begun = trace.calls.start_ns[trace.calls.thread == numbers[row.process, row.thread]]
        for thread in others:
            own = np.flatnonzero(spans.thread == thread)
            nest = Nest.of(spans.start_ns[own], spans.end_ns[own])
            if trace.threads[thread][0] == row.process and (nest.innermost(begun) >= 0).mean() > NEARLY_ALL:
                found.add(trace.threads[thread][1])
                break
        else:
            return None
    return ", ".join(sorted(found)) or None


def to_hear(trace: Trace, silent: Sequence[HostThread]) -> str:
    """What to do for these threads to be heard."""
    return ALL_THREADS if under_another_number(trace, silent) is None else ONE_NUMBER


def silence(trace: Trace, silent: Sequence[HostThread], of_ops: int) -> str:
    """What these threads launched, and that nothing else of them was recorded."""
    first = silent[0]
    others = f" and {counted(len(silent) - 1, 'other')}" if len(silent) > 1 else ""
    times = [row.device_time_ns for row in silent]
    time = UNKNOWN_TIME if None in times else duration(sum(time_ns or 0 for time_ns in times))
    ops = sum(row.ops for row in silent)
    numbers = {thread: place for place, thread in enumerate(trace.threads)}
    elsewhere = started_elsewhere(trace, [numbers[row.process, row.thread] for row in silent])
    other = under_another_number(trace, silent)
    why = (
        f"the operators of thread {other}, which launched nothing, lie around what they launched, so that the profiler "
        "wrote one thread under two numbers"
        if other is not None
        else "the profiler recorded those of the thread that started it alone"
        if elsewhere is None or _spoken(trace)
        else f"the profiler records those of the thread that starts it alone, and thread {elsewhere[1]}, which waited "
        "for the device and launched nothing, ran none"
    )
    return (
        f"thread {first.thread} of process {first.process}{others} launched {ops:,} of {counted(of_ops, 'op')} "
        f"({time}), and the file has no operator, range or Python frame of {'them' if others else 'it'}: "
        f"{why}"
    )


def worth_operators(trace: Trace) -> bool:
    """Whether operators tell more of the threads: a launching one has no range, module or frame on it."""
    launching = set(distinct(int64(trace.calls.thread)))
    return bool(len(trace.ops)) and bool(launching - _spoken(trace))


def _spoken(trace: Trace) -> set[int]:
    """Threads with operators, ranges, modules or frames."""
    beside = () if trace.operators is None else (trace.operators,)
    columns = (trace.cpu_ops, trace.ranges, trace.modules, trace.generation, trace.frames, *beside)
    return {thread for column in columns for thread in distinct(column.thread)}

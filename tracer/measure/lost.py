"""Work that was launched and not recorded, in words: how much, in which stages, and what would record it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from msgspec import UNSET, UnsetType

from tracer.arrays import coded, int64
from tracer.charge.lost import SEVERAL
from tracer.document.makers import in_words_of
from tracer.document.names import ALL_STAGES, DECODE
from tracer.document.summary import Lost, LostOps
from tracer.document.words import counted, listed
from tracer.trace.api import launches_graph
from tracer.trace.columns import NO_CORRELATION
from tracer.trace.maker import maker_of

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.lost import LostWork
    from tracer.charge.stages.ranges import StageRanges
    from tracer.measure.runs import Runs
    from tracer.trace.columns import Trace

# A call that launches one kernel, whatever the runtime.
_LAUNCHES_ONE = re.compile(r"LaunchKernel|KernelLaunch|LaunchCooperativeKernel")
NO_OPS = (
    "record the device's activity too (ProfilerActivity.CUDA, or XPU), with no other profiler of it at work at the "
    "same time"
)
OF_ONE_PROCESS = (
    "record the device's activity in each process (ProfilerActivity.CUDA, or XPU): of those whose launches have no op "
    "none was recorded"
)
IN_GRAPHS = (
    "record without graphs (vLLM: enforce_eager, SGLang: disable_cuda_graph), or with a profiler that sees into them "
    "(nsys profile --cuda-graph-trace=node; a newer ROCm)"
)
AT_FIRST = "let the profiler warm up before the first step that counts (torch.profiler.schedule with warmup=1 or more)"
AT_LAST = "wait for the device before the profiler stops (torch.cuda.synchronize())"
AT_LAST_OF_NSIGHT = (
    "stop the recording only after the device is idle: torch.cuda.synchronize() before cudaProfilerStop(), or before "
    "the program or nsys profile --duration ends"
)
UNTIMED = (
    "record again, and if it stays so with another release of the profiler: it wrote device ops without their times"
)
UNNUMBERED = "record with another release of the profiler: it wrote device ops without the number of their launch"
MISNUMBERED = (
    "record again with another release of the profiler, or of ROCm: some give a kernel the number of another launch"
)
TORN = "fetch the file again, whole: it breaks off, and the missing ops may lie behind that place"
# Followed by the names of calls.
OF_A_KIND = "record with another release of the profiler: this one kept nothing of what was asked for by "
THROUGHOUT = (
    "let the profiler record all devices and streams that work, or another release of it do so: work is missing "
    "throughout, which no full buffer explains"
)
ANYWHERE = "record a shorter piece: a profiler whose buffers are full drops records"
# Parts of a recording, each of as many launches at least.
PARTS = 8


def describe(trace: Trace, ranges: StageRanges, lost: LostWork) -> Lost | None:
    """Put it into words; None where nothing was lost.

    Args:
        trace: with its calls.
        ranges: its stages.
        lost: of the same.
    """
    if not len(lost):
        return None
    by_call = _by_name(trace, lost.calls.tolist())
    in_part = _by_name(trace, lost.calls[lost.in_part].tolist())
    of_calls = {name: count for name, count in _by_name(trace, lost.made.tolist()).items() if name in by_call}
    several = _of_several(trace, lost)
    held = lost.stage[lost.stage >= 0]
    stages = [ALL_STAGES[code] for code in coded(ranges.stage[held])[0].tolist()]
    decoding = (ranges.stage == ALL_STAGES.index(DECODE)) & (ranges.index >= 0)
    return Lost(
        launches=len(lost),
        in_part=int(np.count_nonzero(lost.in_part)) or UNSET,
        of_launches=len(lost.made),
        by_call=by_call,
        of_calls=of_calls,
        stages=stages,
        steps=len(coded(held[decoding[held]])[0]),
        of_steps=int(decoding.sum()),
        reason=_reason(by_call, in_part, of_calls, untimed=bool(trace.untimed))
        + _or_there(_without_number(trace))
        + _or_misnumbered(several),
        next_step=MISNUMBERED if several else in_words_of(maker_of(trace), _next_step(trace, lost)),
    )


def _of_several(trace: Trace, lost: LostWork) -> int:
    """How many launches of one kernel have several, if these are enough for all that have none; else 0."""
    one = np.array([_LAUNCHES_ONE.search(name) is not None for name in trace.strings], dtype=np.bool_)
    single = lost.made[one[trace.calls.name[lost.made]]]
    numbers, of = coded(trace.ops.correlation)
    number = trace.calls.correlation[single]
    place = np.minimum(np.searchsorted(numbers, number), max(0, len(numbers) - 1))
    if not len(numbers) or not one[trace.calls.name[lost.calls]].all():
        return 0
    ops = np.where(numbers[place] == number, np.bincount(of, minlength=len(numbers))[place], 0)
    return int(np.count_nonzero(ops > 1)) if (ops - 1)[ops > 1].sum() >= len(lost) else 0


def _or_misnumbered(several: int) -> str:
    has = counted(several, "launch has", "launches have")
    return f", or bears the number of another launch ({has} several, which may be theirs)" if several else ""


def without_activity(trace: Trace) -> str:
    """What to do where nothing of a device was recorded, or nothing with a usable time."""
    return UNTIMED if trace.untimed else in_words_of(maker_of(trace), NO_OPS)


def _by_name(trace: Trace, calls: list[int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in trace.calls.name[calls].tolist():
        found[trace.strings[name]] = found.get(trace.strings[name], 0) + 1
    return dict(sorted(found.items(), key=lambda row: (-row[1], row[0])))


def _reason(by_call: dict[str, int], in_part: dict[str, int], of_calls: dict[str, int], *, untimed: bool) -> str:
    op = "device op with a usable time" if untimed else "device op"
    parts = []
    if wholly := {name: rest for name, count in by_call.items() if (rest := count - in_part.get(name, 0))}:
        parts.append(f"{_counted(wholly, of_calls)} no {op}")
    if in_part:
        parts.append(f"{_counted(in_part, of_calls)} a part of the device ops of {_their(in_part)} graph")
    return f"{' and '.join(parts)}: what was launched there was not recorded"


def _or_there(ops: int) -> str:
    return f", or is among {counted(ops, 'device op')} that bear no launch's number" if ops else ""


def _without_number(trace: Trace) -> int:
    """How many ops nothing joins to a launch, as a profiler writes them that does not number what it writes."""
    return int(np.count_nonzero((trace.ops.correlation == NO_CORRELATION) | (trace.ops.correlation == 0)))


def _counted(calls: dict[str, int], of_calls: dict[str, int]) -> str:
    parts = [f"{count:,} of {of_calls[name]:,} {name}" for name, count in calls.items()]
    return f"{listed(parts)} {'has' if sum(calls.values()) == 1 else 'have'}"


def _their(calls: dict[str, int]) -> str:
    return "its" if sum(calls.values()) == 1 else "their"


def _next_step(trace: Trace, lost: LostWork) -> str:
    if trace.torn:
        return TORN
    if trace.untimed:
        return UNTIMED
    if not len(trace.ops):
        return NO_OPS
    if _without_number(trace) >= len(lost):
        return UNNUMBERED
    start_ns = trace.calls.start_ns
    # Copies of no bytes return at once and have no op either.
    with_op = np.isin(trace.calls.correlation[lost.made], trace.ops.correlation)
    whole = int64(lost.made[with_op & ~np.isin(lost.made, lost.calls)])
    alone = len(whole) > 0 and not _processes(trace, whole) & _processes(trace, lost.calls)
    if alone and len(_graphs(trace, lost.calls)) < len(lost):
        return OF_ONE_PROCESS
    lost_ns, whole_ns = start_ns[lost.calls], start_ns[whole]
    at_last = bool(len(whole_ns)) and 2 * np.count_nonzero(lost_ns > whole_ns.max()) > len(lost_ns)
    # Where most graphs' kernels were recorded, the profiler does see into them.
    cut = 2 * np.count_nonzero(lost.in_part) > len(_graphs(trace, int64(lost.made)))
    without_op, known = lost.calls[~lost.in_part], len(_graphs(trace, whole)) > 0
    if cut or (len(_graphs(trace, without_op)) and not (at_last and known)):
        return IN_GRAPHS
    if at_last:
        return AT_LAST_OF_NSIGHT if trace.format == "nsight" else AT_LAST
    if len(whole_ns) and 2 * np.count_nonzero(lost_ns < whole_ns.min()) > len(lost_ns):
        return AT_FIRST
    if (names := _of_which_none_has_an_op(trace, lost)) is not None:
        return OF_A_KIND + listed(names)
    return THROUGHOUT if _throughout(lost) else ANYWHERE


def _of_which_none_has_an_op(trace: Trace, lost: LostWork) -> list[str] | None:
    """The names of the calls that lost work, where of none of these any work was recorded; of few calls None."""
    names = _by_name(trace, lost.calls.tolist())
    made = _by_name(trace, lost.made.tolist())
    return list(names) if all(SEVERAL <= count == made[name] for name, count in names.items()) else None


def _throughout(lost: LostWork) -> bool:
    """Whether some launches have lost their work, and others have not, all the way from the first that has."""
    gone = np.isin(lost.made, lost.calls)
    gone = gone[gone.argmax() : len(gone) - gone[::-1].argmax()]
    if len(gone) < PARTS * PARTS:
        return False
    parts = np.array_split(gone, PARTS)
    return all(part.any() and not part.all() for part in parts)


def _processes(trace: Trace, calls: I64) -> set[str]:
    """Those of these calls."""
    return {trace.threads[thread][0] for thread in coded(trace.calls.thread[calls])[0].tolist()}


def _graphs(trace: Trace, calls: I64) -> I64:
    """Those of these calls that launch a graph."""
    own = trace.calls.name[calls]
    graphs = [name for name in coded(own)[0].tolist() if launches_graph(trace.strings[name])]
    return int64(calls[np.isin(own, graphs)])


def lost_ops(runs: Runs, own: I64) -> LostOps | UnsetType:
    """What some runs of a stage lack; UNSET where all of their work was recorded."""
    launches = int(runs.lost[own].sum())
    return LostOps(launches=launches) if launches else UNSET

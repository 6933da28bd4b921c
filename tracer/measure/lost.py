"""Work that was launched and not recorded, in words: how much, in which stages, and what would record it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import UNSET, UnsetType

from tracer.arrays import coded
from tracer.document.names import ALL_STAGES, DECODE
from tracer.document.summary import Lost, LostOps
from tracer.trace.api import launches_graph

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.lost import LostWork
    from tracer.charge.stages.ranges import StageRanges
    from tracer.measure.runs import Runs
    from tracer.trace.columns import Trace

NO_OPS = (
    "record the device's activity too (ProfilerActivity.CUDA, or XPU), with no other profiler of it at work at the "
    "same time"
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
TORN = "fetch the file again, whole: it breaks off, and the missing ops may lie behind that place"
ANYWHERE = "record a shorter piece: a profiler whose buffers are full drops records"


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
    of_calls = {name: count for name, count in _by_name(trace, lost.made.tolist()).items() if name in by_call}
    held = lost.stage[lost.stage >= 0]
    stages = [ALL_STAGES[code] for code in coded(ranges.stage[held])[0].tolist()]
    decoding = (ranges.stage == ALL_STAGES.index(DECODE)) & (ranges.index >= 0)
    return Lost(
        launches=len(lost),
        of_launches=len(lost.made),
        by_call=by_call,
        of_calls=of_calls,
        stages=stages,
        steps=len(coded(held[decoding[held]])[0]),
        of_steps=int(decoding.sum()),
        reason=_reason(by_call, of_calls, untimed=bool(trace.untimed)),
        next_step=_next_step(trace, lost),
    )


def _by_name(trace: Trace, calls: list[int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in trace.calls.name[calls].tolist():
        found[trace.strings[name]] = found.get(trace.strings[name], 0) + 1
    return dict(sorted(found.items(), key=lambda row: (-row[1], row[0])))


def _reason(by_call: dict[str, int], of_calls: dict[str, int], *, untimed: bool) -> str:
    parts = [f"{count:,} of {of_calls[name]:,} {name}" for name, count in by_call.items()]
    have = "has" if sum(by_call.values()) == 1 else "have"
    op = "device op with a usable time" if untimed else "device op"
    return f"{' and '.join(parts)} {have} no {op}: what was launched there was not recorded"


def _next_step(trace: Trace, lost: LostWork) -> str:
    if trace.torn:
        return TORN
    if trace.untimed:
        return UNTIMED
    if not len(trace.ops):
        return NO_OPS
    start_ns = trace.calls.start_ns
    # Copies of no bytes return at once and have no op either.
    with_op = np.isin(trace.calls.correlation[lost.made], trace.ops.correlation)
    whole = lost.made[with_op & ~np.isin(lost.made, lost.calls)]
    lost_ns, whole_ns = start_ns[lost.calls], start_ns[whole]
    at_last = bool(len(whole_ns)) and 2 * np.count_nonzero(lost_ns > whole_ns.max()) > len(lost_ns)
    # Where other graphs' kernels were recorded, the profiler does see into them.
    if _launch_graphs(trace, lost.calls) and not (at_last and _launch_graphs(trace, whole)):
        return IN_GRAPHS
    if at_last:
        return AT_LAST_OF_NSIGHT if trace.format == "nsight" else AT_LAST
    if len(whole_ns) and 2 * np.count_nonzero(lost_ns < whole_ns.min()) > len(lost_ns):
        return AT_FIRST
    return ANYWHERE


def _launch_graphs(trace: Trace, calls: I64) -> bool:
    """Whether any of these calls launches a graph."""
    return any(launches_graph(trace.strings[name]) for name in coded(trace.calls.name[calls])[0].tolist())


def lost_ops(runs: Runs, own: I64) -> LostOps | UnsetType:
    """What some runs of a stage lack; UNSET where all of their work was recorded."""
    launches = int(runs.lost[own].sum())
    return LostOps(launches=launches) if launches else UNSET

"""Each piece of work: a device op, or an operator of a trace without device ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.arrays import int64
from tracer.charge.attribution import Reason
from tracer.charge.intervals import distinct
from tracer.charge.work import NO_DEVICE
from tracer.kernels.categories import categorise
from tracer.tables.places import OF_STAGE, OF_TIME, numbers, of_stage
from tracer.tables.table import FLOAT, TEXT, Column, Known, Named, Table
from tracer.trace.columns import NO_STREAM, LaunchShape, OpKind

if TYPE_CHECKING:
    from tracer.charge.work import Work
    from tracer.document.summary import Summary
    from tracer.summarize import Charged
    from tracer.trace.columns import Trace

KINDS = {OpKind.KERNEL: "kernel", OpKind.MEMCPY: "memcpy", OpKind.MEMSET: "memset", OpKind.GRAPH: "graph"}
OPERATOR = "operator"


def _rows(charged: Charged, _: Summary) -> dict[str, Any]:
    trace, work = charged.trace, charged.work
    categories = [""] * len(trace.strings)
    for name in distinct(work.name):
        categories[name] = categorise(trace.strings[name])
    kinds = [KINDS[OpKind(number)] for number in range(len(KINDS))]
    return {
        "op": numbers(len(work)),
        "name": Named(int64(work.name), trace.strings),
        "kind": Named(
            int64(work.kind) if work.on_device else numbers(len(work)) * 0, kinds if work.on_device else [OPERATOR]
        ),
        "category": Named(int64(work.name), categories),
        "device": Known(work.device, work.device != NO_DEVICE),
        "track": Known(work.track, work.track != NO_STREAM),
        "start_ns": work.start_ns,
        "end_ns": work.end_ns,
        "time_ns": work.time_ns,
        "busy_ns": work.busy_ns,
        "idle_host_ns": work.host_ns,
        "idle_sync_ns": work.sync_ns,
        "idle_launch_ns": work.launch_ns,
        "idle_unknown_ns": work.unknown_ns,
        "between_ns": work.between_ns,
        "size_bytes": work.size_bytes,
        "call": Known(work.call, work.call >= 0),
        **of_stage(charged.ranges, work.stage),
        **_launched(trace, work),
        "reason": Named(int64(work.reason), [reason.name.lower() for reason in Reason if reason >= 0]),
    }


def _launched(trace: Trace, work: Work) -> dict[str, Any]:
    """How each was launched, where that was read and the file says it."""
    launched = trace.launched
    if launched is None or not work.on_device or not launched.shapes:
        return dict.fromkeys(("grid", "block", "registers", "shared_bytes", "occupancy"), [None] * len(work))
    of_op, shapes = launched.of_op, launched.shapes
    numbered = [shapes[number] if number >= 0 else LaunchShape() for number in of_op.tolist()]
    return {
        "grid": Named(of_op, [_size(shape.grid) for shape in shapes]),
        "block": Named(of_op, [_size(shape.block) for shape in shapes]),
        "registers": [shape.registers for shape in numbered],
        "shared_bytes": [shape.shared_bytes for shape in numbered],
        "occupancy": [shape.occupancy for shape in numbered],
    }


def _size(dimensions: tuple[int, int, int] | None) -> str:
    return "" if dimensions is None else "x".join(map(str, dimensions))


TABLE = Table(
    meaning="a kernel, copy or fill on a device; of a trace without device ops, an operator on the CPU",
    key=("op",),
    columns=(
        Column("op", "its number in the trace"),
        Column("name", "as the profiler wrote it", TEXT),
        Column("kind", "kernel, memcpy, memset, graph (a whole replay) or operator", TEXT),
        Column("category", "kind of work by its name: gemm, attention, ...", TEXT),
        Column("device", "the device's number; none of an operator"),
        Column("track", "the stream, if the file tells; of an operator the number of its thread"),
        *OF_TIME,
        Column("time_ns", "its duration; of an operator its self time"),
        Column("busy_ns", "its share of the time in which anything ran: conserved over the device"),
        Column("idle_host_ns", "of the gap that it ended: nothing had been asked for yet"),
        Column("idle_sync_ns", "of that gap: the host waited for the device"),
        Column("idle_launch_ns", "of that gap: asked for, not yet running"),
        Column("idle_unknown_ns", "of that gap: nothing tells why"),
        Column("between_ns", "of that gap: no stage and no request was open"),
        Column("size_bytes", "moved by a copy or fill; 0 where unknown"),
        Column("call", "the call that launched it, in `calls`"),
        *OF_STAGE,
        Column("grid", "of a kernel, its blocks by dimension: 16x4x1; null or empty where the file does not say", TEXT),
        Column("block", "threads of a block, likewise", TEXT),
        Column("registers", "of a thread"),
        Column("shared_bytes", "shared memory of a block, static and dynamic"),
        Column("occupancy", "an estimate of the warps held, as a share of what could be", FLOAT),
        Column("reason", "why it belongs to no stage", TEXT),
    ),
    rows=_rows,
)

"""The annotations of a trace."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from tracer.document.summary.lost import LostOps


class Rangeless(msgspec.Struct, frozen=True, kw_only=True):
    """Device ops that were launched on threads without a range, in a trace whose other threads have some.

    Attributes:
        threads: so many launched them.
        ops, device_time_ns: so many, and their durations.
        of_ops: device ops in all.
    """

    threads: int
    ops: int
    device_time_ns: int
    of_ops: int


class RangeRow(msgspec.Struct, frozen=True, kw_only=True):
    """All annotations of one name, with the ops launched inside them on the same thread.

    Attributes:
        name: theirs.
        count: how many there are.
        ops, device_time_ns: launched inside any of them; each op counts once; None where no op of the trace has a
            launch. Of a trace without device ops, the operators that began inside and their self time.
        style: "push_pop", or "start_end" for ranges that may end on any thread and so hold nothing.
        projected_ns, kernel_ns: what `nsys stats` says of them (`nvtx_gpu_proj_sum`, `nvtx_kern_sum`): for each the
            span from its first op to its last, and the kernels in it, added up over all; nested ones count again.
        cpu_ns: time on the host inside any of them, on each thread once.
        lost: launches inside them without a device op, so that what the device did for them is unknown: its times are
            None too; absent where there are none.
    """

    name: str
    count: int
    ops: int | None
    device_time_ns: int | None
    style: Literal["push_pop", "start_end"]
    projected_ns: int | None
    kernel_ns: int | None
    cpu_ns: int = 0
    lost: LostOps | UnsetType = UNSET

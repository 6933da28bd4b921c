"""The JSON of one event, and what its category means.

Numbers stay text until they are needed: timestamps must not pass through a double, and ids are written as
numbers by some tools and as strings by others.
"""

from __future__ import annotations

import msgspec

from tracer.trace.columns import OpKind

NOTHING = msgspec.Raw(b"")

# Kineto's categories today, and those of the years before 2022.
OP_KINDS = {
    "kernel": OpKind.KERNEL,
    "gpu_memcpy": OpKind.MEMCPY,
    "gpu_memset": OpKind.MEMSET,
    "Kernel": OpKind.KERNEL,
    "Memcpy": OpKind.MEMCPY,
    "Memset": OpKind.MEMSET,
}
CALL_CATEGORIES = frozenset({"cuda_runtime", "cuda_driver", "Runtime", "Driver"})
RANGE_CATEGORIES = frozenset({"user_annotation"})
CPU_OP_CATEGORIES = frozenset({"cpu_op", "Operator"})
CAPTURE_CATEGORY = "Trace"


class Args(msgspec.Struct, gc=False):
    """The arguments that attribution needs."""

    correlation: msgspec.Raw = NOTHING
    device: msgspec.Raw = NOTHING
    stream: msgspec.Raw = NOTHING
    bytes: msgspec.Raw = NOTHING


class Event(msgspec.Struct, gc=False):
    """One event."""

    ph: str = ""
    cat: str = ""
    name: str = ""
    pid: msgspec.Raw = NOTHING
    tid: msgspec.Raw = NOTHING
    ts: msgspec.Raw = NOTHING
    dur: msgspec.Raw = NOTHING
    args: Args | None = None

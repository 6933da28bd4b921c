"""What an event's category means, and which events a reader may pass over.

Kineto's categories today, and those it and torch.autograd's older exporter used before 2022.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING

from tracer.trace.columns import OpKind, Want

if TYPE_CHECKING:
    from collections.abc import Mapping


class Group(IntEnum):
    """Which column an event goes into."""

    NONE = 0
    OP = 1
    CALL = 2
    RANGE = 3
    CPU_OP = 4
    CAPTURE = 5
    FLOW = 6
    MODULE = 7
    FRAME = 8
    MEMORY = 9
    WINDOW = 10  # of `SampledFrames`: no event's


OP_KINDS = {
    "kernel": OpKind.KERNEL,
    "gpu_memcpy": OpKind.MEMCPY,
    "gpu_memset": OpKind.MEMSET,
    "Kernel": OpKind.KERNEL,
    "Memcpy": OpKind.MEMCPY,
    "Memset": OpKind.MEMSET,
    "mtia_ccp_events": OpKind.KERNEL,
    "hpu_op": OpKind.KERNEL,
    # As those write them who make Chrome traces of Nsight's exports.
    "memcpy": OpKind.MEMCPY,
    "memset": OpKind.MEMSET,
    # Of builds of kineto for Cambricon's devices and Enflame's.
    "mlu_memcpy": OpKind.MEMCPY,
    "mlu_memset": OpKind.MEMSET,
    "GCU_MEMCPY": OpKind.MEMCPY,
    "GCU_MEMSET": OpKind.MEMSET,
}
CATEGORIES: dict[Group, tuple[str, ...]] = {
    Group.OP: tuple(OP_KINDS),
    Group.CALL: (
        "cuda_runtime", "cuda_driver", "xpu_runtime", "xpu_driver", "mtia_runtime", "privateuse1_runtime",
        "privateuse1_driver", "Runtime", "Driver",
        # Of builds of kineto for the devices of Cambricon, Moore Threads and Enflame.
        "mlu_runtime", "mlu_driver", "musa_runtime", "musa_driver", "gcu_runtime", "gcu_driver",
    ),
    Group.RANGE: ("user_annotation",),
    Group.CPU_OP: ("cpu_op", "Operator"),
    Group.CAPTURE: ("Trace",),
    Group.FLOW: ("ac2g", "async_cpu_to_gpu"),
    Group.MODULE: ("python_function",),
    Group.FRAME: ("python_function",),
    Group.MEMORY: ("cpu_instant_event",),
}  # fmt: skip
_WANTED = {
    Group.OP: Want.OPS,
    Group.CALL: Want.CALLS,
    Group.RANGE: Want.RANGES,
    Group.CPU_OP: Want.CPU_OPS | Want.ASKERS,
    Group.FLOW: Want.FLOWS,
    Group.MODULE: Want.MODULES,
    Group.FRAME: Want.FRAMES,
    Group.MEMORY: Want.MEMORY,
}
# The instants of allocators, among others of their category.
MEMORY_NAME = "[memory]"
# The Python frames that are forward calls of modules; all others are passed over.
MODULE_PREFIX = "nn.Module: "
# Frames of transformers' `generate`, which say where a request begins, how it is decoded, where a
# token's work begins, and what is drafted.
_GENERATION_FRAME = (
    r"(?:[^\"]{0,300}[/\\])?generation(?:_utils|[/\\]{1,2}utils)\.py\(\d{1,9}\): (?:generate|_prefill(?:_chunking)?|"
    r"_?(?:(?:greedy|contrastive|(?:group_|constrained_)?beam)_search|(?:beam_)?sample|(?:assisted|dola)_decoding))|"
    r"[^\"]{0,300}\.py\(\d{1,9}\): (?:\w{0,40}prepare_inputs_for_generation|get_candidates|"
    # Loops that transformers 5 fetches from repositories of their own.
    r"_(?:(?:contrastive|group_beam|constrained_beam)_search|dola_decoding))"
)
_GENERATION = re.compile(_GENERATION_FRAME)
# How built-in functions are called in which a thread sleeps, or waits for another thread or for a file.
WAITING = (
    "<built-in function sleep>",
    "<built-in function select>",
    "<built-in method acquire of _thread.",
    "<built-in method poll of select.",
)
# How names begin that are no such frame's: of built-in functions, of what has no file, and of torch's own.
SELDOM_TELLING = ("<", "torch/")
# Frames that cannot tell where a person's code waits for a device: those of torch, modules (a frame of their class's
# file encloses them), most built-in functions, and helpers of Python that occur everywhere. They are nine tenths of
# the frames.
_MUTE_FRAME = (
    r"(?:(?:/[^\"]{0,200}/)?(?:site|dist)-packages/)?torch/|nn\.Module: |"
    r"(?:contextlib|dataclasses|enum|functools|inspect|typing)\.py\(|<(?:frozen|string)|"
    r"<built-in (?:method|function) (?!(?:item|tolist|cpu|to|numpy|nonzero|copy_|_?\w*synchronize|wait)\b)"
)
_MUTE = re.compile(_MUTE_FRAME)

# Calls that neither start work on a device nor wait for one: questions, allocations, bookkeeping. In many files
# they are most of the calls. Frees are none of them: they wait, but for those in the order of a stream.
_IDLE_CALL = (
    r"(?:cuda|cu|hip)(?:"
    r"(?:Device|Stream|Ctx|Driver|Func|Pointer|Module|Event|Graph|Mem)?Get|GetDevice|SetDevice|GetLastError|"
    r"DeviceCanAccess|Driver|PeekAtLastError|StreamIsCapturing|StreamCreate|StreamDestroy|StreamWaitEvent|"
    r"StreamQuery|EventCreate|EventDestroy|EventRecord|EventQuery|EventElapsedTime|FuncSet|Pointer|Occupancy|"
    r"Malloc(?!\w*Set)|Free(?=\w*(?:Async|Array))|HostAlloc|HostRegister|HostUnregister|HostGet|ThreadExchange|CtxSetCurrent"
    r")\w*"
)
_IDLE = re.compile(_IDLE_CALL)


@cache
def groups(want: Want) -> Mapping[str, Group]:
    """The categories that must be read, by name."""
    chosen = [group for group in CATEGORIES if group is Group.CAPTURE or want & _WANTED[group]]
    return {name: group for group in chosen for name in CATEGORIES[group]}


def passed_over(name: str) -> bool:
    """Whether a host call of this name matters to nobody."""
    return _IDLE.fullmatch(name) is not None


def generation_frame(name: str) -> bool:
    """Whether a Python frame of this name is one by which `generate` of transformers tells its passes."""
    return not name.startswith(SELDOM_TELLING) and _GENERATION.fullmatch(name) is not None


def waiting_frame(name: str) -> bool:
    """Whether a Python frame of this name is a built-in function in which a thread waits, and not for a device."""
    return name.startswith(WAITING)


def model_frame(name: str) -> bool:
    """Whether a Python frame that is no module's is read with them."""
    return generation_frame(name) or waiting_frame(name)


def telling_frame(name: str) -> bool:
    """Whether a Python frame of this name may tell where a person's code waits for a device."""
    return _MUTE.match(name) is None


@cache
def wanted_pattern(want: Want) -> re.Pattern[bytes]:
    """Matches the category of every event that must be read, in the text of a trace.

    The number of the matching group is that of the category's `Group`. A quote inside a JSON string is escaped, so
    these bytes never occur inside one.
    """
    chosen = set(groups(want).values())
    # Where the name follows at once, calls that matter to nobody are passed over here, unread.
    behind = {Group.CALL: rf'"(?!,\s*"name": ?"{_IDLE_CALL}")'}
    never = "(?!)"
    alternatives = [
        rf"({'|'.join(CATEGORIES[group])}){behind.get(group, chr(34))}" if group in chosen else f"({never})"
        for group in sorted(CATEGORIES)
    ]
    return re.compile(rf'"cat": ?"(?:{"|".join(alternatives)})'.encode())

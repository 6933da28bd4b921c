"""What the calls of devices' runtimes and drivers do: CUDA's and HIP's, Intel's (SYCL's `ur`, `pi` before it, and Level
Zero's `ze`), and those of other devices as far as their names say it."""

from __future__ import annotations

import re

# Runtimes whose calls are named as CUDA's are, but for the prefix: Moore Threads' and its driver's, MetaX', Enflame's,
# SunRise's, and that of PyTorch's own example of a device behind PrivateUse1 (openreg).
_CLONES = "musa|mu|mc|tops|tang|or"

# Calls that return only when the device has caught up: waits by name, and the copies without "Async" in
# theirs (hipMemcpyWithStream waits for its stream). cudaMemcpyAsync from pageable memory may block as well,
# but its record does not say so. Giving memory back waits, too: on an H100, behind a kernel of 15.15 ms, cudaFree took
# 15.46 ms and cudaFreeHost 25.3 ms, where cudaMalloc took 0.27.
_SYNCHRONISES = re.compile(
    r"(?:cuda|cu|hip)(?:"
    r"\w*Synchronize(?:_ptsz|_ptds|_v\d+)*"
    r"|Memcpy(?!\w*Async)\w*"
    r"|(?:(?:Mem)?Free(?:Host)?|HostFree)(?:_v\d+)?"
    r")"
    # Of Intel's, copies say nothing of whether they wait, and "wait" in the name of what is queued is the device's.
    r"|(?:ur|pi)(?:QueueFinish|Events?Wait)"
    r"|ze\w*Synchronize"
    # Of others that kineto's plug-ins record: musaStreamSynchronize, aclrtSynchronizeStream, or without any prefix.
    r"|(?!cu|hip|ur|pi|ze)[a-z]\w*(?:Device|Stream|Event|Ctx)Synchronize|aclrtSynchronize\w*"
    rf"|(?:{_CLONES})Memcpy(?!\w*Async)\w*"
    r"|aiuScheduleWait"
    # Cambricon's, of the runtime and the driver; a queue that waits for a notifier is the device's own wait.
    r"|cn(?:rt)?(?:(?:Queue|Ctx|Device)Sync|SyncDevice|WaitNotifier|(?:Memcpy|Memset)(?!\w*Async)\w*)(?:_V\d+)?"
    r"|(?:[dD]evice|[sS]tream|[eE]vent)_?[sS]ynchronize|[sS]ynchronize_?(?:[dD]evice|[sS]tream|[eE]vent)"
)


def synchronises(name: str) -> bool:
    """Whether a call waits for the device."""
    return _SYNCHRONISES.fullmatch(name) is not None


_WAITS_FOR_ALL = re.compile(
    rf"(?:cuda|hip|{_CLONES})DeviceSynchronize(?:_v\d+)?|(?:cu|mu)CtxSynchronize(?:_v\d+)?|aclrtSynchronizeDevice"
    r"|cn(?:rt)?(?:CtxSync|DeviceSync|SyncDevice)"
    r"|[dD]evice_?[sS]ynchronize|[sS]ynchronize_?[dD]evice"
)


def waits_for_all(name: str) -> bool:
    """Whether a call waits for all that a device was asked for."""
    return _WAITS_FOR_ALL.fullmatch(name) is not None


_LAUNCHES_GRAPH = re.compile(
    rf"(?:cuda|cu|hip|{_CLONES})GraphLaunch(?:_\w+)?|urEnqueueGraphExp|urEnqueueCommandBufferExp"
    r"|cn(?:rt)?TaskTopoEntityInvoke\w*"
)


def launches_graph(name: str) -> bool:
    """Whether a call replays a captured graph."""
    return _LAUNCHES_GRAPH.fullmatch(name) is not None


_RUNTIME = re.compile(rf"(?:cu|hip|acl|(?:ur|pi|piext|ze|aiu|cn|{_CLONES})[A-Z])\w*")
# MTIA's has no word of it; a runtime behind PrivateUse1 may have no prefix.
_SUBMITS = re.compile(
    r"runFunction - \w*submit_for_execution|urEnqueueGraphExp|urEnqueueCommandBufferExp"
    r"|[lL]aunch_?[kK]ernel\w*|cn(?:rt)?(?:InvokeKernel|TaskTopoEntityInvoke)\w*"
)


_KNOWN_RUNTIME = re.compile(
    rf"(?:cuda|cu|hip|acl|ur|pi|piext|ze|aiu|cn|cnrt|{_CLONES})[A-Z_]\w*|__cuda\w+|roc\w+|runFunction - .*", re.DOTALL
)


def of_known_runtime(name: str) -> bool:
    """Whether a call is of a runtime whose calls that start work are known by their names."""
    return _KNOWN_RUNTIME.fullmatch(name) is not None or synchronises(name) or starts_work(name)


def launches(name: str) -> bool:
    """Whether a call starts kernels, one by one or as a graph."""
    if _SUBMITS.fullmatch(name) is not None:
        return True
    if _RUNTIME.fullmatch(name) is None:
        return False
    _, launch, behind = name.rpartition("Launch")
    return bool(launch) and "HostFunc" not in behind


# Of Intel's, with 2D and buffers, but not what is only fetched ahead or advised; what is looked for ahead is not looked
# for again where the rest does not match, however often it stands there.
_MOVES_BYTES = re.compile(
    rf"(?:cuda|cu|hip|{_CLONES})Mem(?:cpy|set)(?!\w*(?:Get|Set|Node|Symbol(?:Address|Size)))\w*"
    r"|(?:ur|pi|piext)Enqueue(?:USM|Mem)(?=\w*?(?:Memcpy|Memset|Fill|Copy|Read|Write))\w*"
    r"|(?:piext|pi)USMEnqueueMem(?:cpy|set)\w*"
    r"|zeCommandListAppend(?:Memory|Image)(?:Copy|Fill)\w*"
    r"|(?:aclrt|cn(?:rt)?)Mem(?:cpy|set)\w*|aiuDataTransfer(?:DtoH|HtoD)"
)


def moves_bytes(name: str) -> bool:
    """Whether a call copies or fills memory; of no bytes it puts nothing on a device."""
    return _MOVES_BYTES.fullmatch(name) is not None


def starts_work(name: str) -> bool:
    """Whether a call puts work on a device: a kernel, a graph, a copy or a fill."""
    return launches(name) or moves_bytes(name)


_BEGINS_CAPTURE = re.compile(rf"(?:cuda|cu|hip|{_CLONES})StreamBeginCapture\w*|cn(?:rt)?QueueBeginCapture\w*")
_ENDS_CAPTURE = re.compile(rf"(?:cuda|cu|hip|{_CLONES})StreamEndCapture\w*|cn(?:rt)?QueueEndCapture\w*")


def begins_capture(name: str) -> bool:
    """Whether from this call on a stream's launches go into a graph, and run nothing."""
    return _BEGINS_CAPTURE.fullmatch(name) is not None


def ends_capture(name: str) -> bool:
    """Whether a call ends that."""
    return _ENDS_CAPTURE.fullmatch(name) is not None


_TO_HOST = re.compile(r"DtoH|DeviceToHost|Device-to-Host|\bD2[MH]\b", re.IGNORECASE)
# Intel names copies by the kinds of memory: M is pageable, H is pinned.
_TO_DEVICE = re.compile(r"HtoD|HostToDevice|Host-to-Device|\b[MH]2D\b", re.IGNORECASE)
_PAGEABLE = re.compile(r"\bPageable\b|\bM2D\b|\bD2M\b", re.IGNORECASE)


def copies_to_host(name: str) -> bool:
    """Whether a device op of this name is a copy to the host: CUPTI's names, HIP's and Intel's."""
    return _TO_HOST.search(name) is not None


def copies_to_device(name: str) -> bool:
    """The same of a copy from the host."""
    return _TO_DEVICE.search(name) is not None


def copies_pageable(name: str) -> bool:
    """Whether such a copy is known to be of memory that is not pinned; HIP's names do not tell."""
    return _PAGEABLE.search(name) is not None

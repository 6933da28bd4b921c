"""Chrome traces whose work is written in another form than kineto's, and so is not read: by whom they are.

What a tool calls its processes and categories is looked for in the text, where no name of a range or kernel can stand.
A file that is told to be torch.profiler's by its own metadata is never taken for another's.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer.trace.chrome.tracks import CATEGORY as OWN
from tracer.trace.columns import Unread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer.trace.source import Source

# So much of a file is looked through, from its beginning.
SEARCHED_BYTES = 16 << 20
# What a signature may reach across from one block to the next.
SEAM_BYTES = 512
NAMED = 4


def _called(*names: str) -> re.Pattern[bytes]:
    """Matches what a metadata event calls a process or a thread."""
    return re.compile(rf'"args"\s*:\s*\{{\s*"(?:name|labels)"\s*:\s*"(?:{"|".join(names)})"'.encode())


def _of_category(*names: str) -> re.Pattern[bytes]:
    return re.compile(rf'"cat"\s*:\s*"(?:{"|".join(names)})"'.encode())


def _has(key: str, *values: str) -> re.Pattern[bytes]:
    """Matches an argument."""
    return re.compile(rf'"{key}"\s*:\s*"(?:{"|".join(values)})"'.encode())


def _either(*patterns: re.Pattern[bytes]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(pattern.pattern for pattern in patterns))


@dataclass(frozen=True, slots=True)
class _Producer:
    """A tool, how to know it, and what to do with a file of it."""

    name: str
    signature: re.Pattern[bytes]
    work: str
    next_step: str


_RECORD = "record with torch.profiler, Nsight Systems or tracer record"
_PRODUCERS = (
    _Producer(
        "Ascend PyTorch Profiler (torch_npu)",
        _either(
            _called(
                r"Ascend Hardware[^\"]{0,60}", r"(?:CANN|NPU)(?: ?\W?\d[^\"]{0,60})?", "AscendCL", "Overlap Analysis"
            ),
            _of_category("async_npu"),
            _has(
                "Task Type", "AI_CORE", "AI_VECTOR_CORE", "MIX_AIC", "MIX_AIV", "AI_CPU", r"KERNEL_(?:MIX_)?AI\w{1,12}"
            ),
            re.compile(rb'"Physic Stream Id"\s*:'),
        ),
        "NPU tasks are written without the categories that say what they are",
        "its own tools (MindStudio Insight, msprof-analyze) read it",
    ),
    _Producer(
        "XLA's profiler (JAX or TensorFlow)",
        _either(
            _called(r"/device:(?:GPU|TPU|CUSTOM)[^\"]{0,200}", "/host:CPU", "/host:metadata", "XLA Ops", "XLA Modules"),
            re.compile(
                rb'"hlo_(?:module|op|category)"\s*:|"name"\s*:\s*"(?:PjitFunction\('
                rb"|(?:PjRt|Tfrt|CommonPjRt)\w{0,60}::|ThunkExecutor::)"
            ),
        ),
        "device ops are written without categories and launches",
        "XProf or TensorBoard read it",
    ),
    _Producer(
        "TensorFlow's timeline",
        _called(r"/job:[^\"]{0,200}", r"/(?:device:)?(?:gpu|GPU|cpu|CPU):\d+[^\"]{0,100}"),
        "device ops are written without launches",
        "XProf or TensorBoard read the profiles of newer versions",
    ),
    _Producer(
        "the legacy autograd profiler (torch.autograd.profiler without Kineto)",
        re.compile(rb'"pid"\s*:\s*"(?:CPU|CUDA) functions"|"cat"\s*:\s*"cpu_to_cuda"'),
        "its kernels are written without streams and launches",
        "record with torch.profiler, which followed it",
    ),
    _Producer(
        "ONNX Runtime",
        re.compile(
            rb'"provider"\s*:\s*"\w{1,60}ExecutionProvider"'
            rb'|"cat"\s*:\s*"Session"[^{}]{0,300}"name"\s*:\s*"(?:model_(?:loading|run)|session_init|SequentialExec)'
            rb'|"name"\s*:\s*"(?:model_(?:loading|run)|session_init|SequentialExec)[^{}]{0,300}"cat"\s*:\s*"Session"'
        ),
        "its kernels do not say on which device they ran nor which call launched them",
        "record the process with Nsight Systems (nsys profile -t cuda,nvtx)",
    ),
    _Producer(
        "MindSpore's profiler",
        _called(r"MindSpore[^\"]{0,60}"),
        "its operators are written without the categories that say what they are",
        "MindStudio Insight reads it",
    ),
    _Producer(
        "PaddlePaddle's profiler",
        _of_category("CudaRuntime", "PythonUserDefined", "PythonOp", "OperatorInner"),
        "nothing that is read joins its kernels to the calls that launched them",
        "record the process with Nsight Systems (nsys profile -t cuda,nvtx)",
    ),
    _Producer(
        "viztracer",
        _either(_of_category("FEE"), re.compile(rb'"viztracer_metadata"\s*:')),
        "it holds calls of Python functions and no device work",
        _RECORD,
    ),
    _Producer(
        "clang (-ftime-trace)",
        re.compile(rb'"beginningOfTime"\s*:|"name"\s*:\s*"(?:Total )?ExecuteCompiler"'),
        "it is a compiler's",
        _RECORD,
    ),
    _Producer(
        "TensorRT's trtexec",
        re.compile(rb'"(?:startComputeMs|averageMs)"\s*:'),
        "it holds times of layers or queries, and none of kernels",
        "record the process with Nsight Systems (nsys profile -t cuda,nvtx)",
    ),
    _Producer(
        "a converter of Nsight Systems' exports (as nsys2json)",
        re.compile(rb'"tid"\s*:\s*"(?:CUDA API|NVTX) [^\"]{1,40}"'),
        "its kernels are written without the numbers of their launches",
        "summarise the export itself (nsys export --type sqlite)",
    ),
    _Producer(
        "AMD's rocmProfileData (rpd2tracing)",
        _of_category("api_op"),
        "its kernels are written without categories",
        _RECORD,
    ),
    _Producer(
        "AMD's rocprof",
        re.compile(rb'"(?:BeginNs|dev-id|queue-id)"\s*:'),
        "its kernels are written without categories",
        _RECORD,
    ),
    _Producer(
        "Intel's unitrace",
        _of_category("gpu_op"),
        "device ops are written in categories of its own",
        "record with torch.profiler on an XPU",
    ),
)
# Categories of kineto that are no work, beside those that are read.
_NO_WORK = re.compile(
    rb"(?:\w+_)?user_annotation|python_function|cpu_instant_event|overhead|Trace|fwdbwd\w*|forward_backward|ac2g"
    rb"|async_cpu_to_gpu|\w+_sync|cuda_event|mtia_insight|mtia_counters|external_correlation|mlu_notifier",
    re.IGNORECASE,
)
_CATEGORY = re.compile(rb'"cat"\s*:\s*"([^"\\]{1,60})"')
_ON_DEVICE = re.compile(
    rb"(?<![a-z])(?:[gntxhvi]pu|hip|aiu)|mlu|gcu|musa|mtia|privateuse|device|kernel|cuda|stream|accelerator|collective"
    # As kineto would call what the plug-in of yet another device records.
    rb"|_(?:runtime|driver|memcpy|memset)\Z",
    re.IGNORECASE,
)


def of_another(source: Source, events: int, *, kinetos: bool, ops: int = 0) -> Unread | None:
    """Who wrote a trace in another form than torch.profiler's, as far as its text tells; None where nothing does.

    Args:
        source: the file.
        events: that it holds, tracks of tracer's own not counted.
        kinetos: whether its own metadata says that torch.profiler wrote it.
        ops: device ops that were found in it.
    """
    categories: Counter[bytes] = Counter()
    for text in _texts(source):
        for producer in () if kinetos else _PRODUCERS:
            if producer.signature.search(text) is not None:
                return Unread(producer.name, f"{producer.work}; tracer does not read it", producer.next_step)
        categories.update(_CATEGORY.findall(text))
    del categories[OWN.encode()]
    empty = kinetos and not categories  # as a schedule leaves it of which no step was active
    return None if ops or empty else _by_category(categories, events)


def _by_category(categories: Counter[bytes], events: int) -> Unread | None:
    """What to say where none of the categories is known, or one that is not tells of a device."""
    odd = Counter({name: count for name, count in categories.items() if not _is_known(name)})
    listed = ", ".join(name.decode(errors="replace") for name, _ in odd.most_common(NAMED))
    if len(odd) == len(categories) and events:
        names = f" (they have {listed})" if odd else ""
        which = "its only event is of no" if events == 1 else f"none of its {events:,} events is of a"
        return Unread("", f"{which} category that tracer reads{names}", _RECORD)
    if not any(_ON_DEVICE.search(name) for name in odd):
        return None
    return Unread("", f"events of categories that tracer does not read ({listed}) may be device work", _RECORD)


def _is_known(category: bytes) -> bool:
    from tracer.trace.chrome.categories import CATEGORIES

    known = {name.encode() for names in CATEGORIES.values() for name in names}
    return category in known or b"profiler" in category or _NO_WORK.fullmatch(category) is not None


def _texts(source: Source) -> Iterable[bytes]:
    """The beginning of a file, block by block, each with the end of the one before."""
    seen, seam = 0, b""
    for block in source.blocks():
        yield seam + block
        seen, seam = seen + len(block), block[-SEAM_BYTES:]
        if seen >= SEARCHED_BYTES:
            return

"""Signs of a device in a trace that holds none of its work: what such a trace says is about the host alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.intervals import distinct
from tracer.charge.lost import outermost_calls
from tracer.trace.api import launches, of_known_runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer.arrays import I32
    from tracer.trace.columns import Trace

# Operators that no CPU runs: NCCL's, what belongs to streams, what cuDNN, MIOpen and CUDA's attention do, and those of
# other devices, which their makers put in namespaces of their own, Apple's and those of RNNs excepted.
_NEEDS_DEVICE = re.compile(
    r"(?:nccl|hccl|xccl|cncl|mccl|eccl):\w+"
    r"|(?:npu|torch_npu|hpu|mlu|torch_mlu|torch_mlu_ops|musa|gcu|xpu|mtia|ipu)::\w+"
    r"|aten::(?:_mps_\w+|mps_\w+|_lstm_mps|lstm_mps_backward|_thnn_fused_(?:gru|lstm)_cell)"
    r"|aten::record_stream"
    r"|aten::(?:cudnn|miopen)_(?:convolution|batch_norm|rnn|depthwise)\w*"
    r"|aten::_scaled_dot_product_(?:cudnn|efficient)_attention"
    r"|aten::_(?:flash|efficient)_attention_forward"
)
# Named of all that tell.
NAMES = 2
ALONE = "recorded without the device's activity; times are the host's alone, and no rates follow from them"
PERHAPS = "whether the device worked is not known; times are the host's alone, and no rates follow from them"
# The span that the plug-in of kineto for XPUs writes wherever it was on.
_XPU_WAS_ON = "__xpu_profiler__"


def unseen_device(trace: Trace) -> str | None:
    """Say that a device worked and was not recorded; None where device ops are recorded, or nothing speaks of any.

    Args:
        trace: with its host calls; with its CPU operators if it has no device ops.
    """
    if len(trace.ops):
        return None
    if trace.untimed:
        ops = "its only device op has no" if trace.untimed == 1 else f"none of its {trace.untimed:,} device ops has a"
        return f"{ops} usable time; times are the host's alone, and no rates follow from them"
    sign = (
        _sign(trace, trace.calls.name[outermost_calls(trace, launches)], launches, ("launch", "launches"))
        or _sign(trace, trace.cpu_ops.name, needs_device, ("operator of a device", "operators of a device"))
        or _manifests(trace)
    )
    perhaps = _sign(trace, trace.calls.name, _of_other_runtime, ("call of a runtime", "calls of a runtime"))
    if sign is None and perhaps is None and any(_XPU_WAS_ON in name for name in trace.strings):
        perhaps = "the profiler of XPUs was on"
    if sign is None:
        return None if perhaps is None else f"{perhaps} but no device ops: {PERHAPS}"
    return f"{sign} but no device ops: {ALONE}"


def _of_other_runtime(name: str) -> bool:
    """Whether a call is none of a runtime of which it is known what launches work."""
    return not of_known_runtime(name)


def needs_device(operator: str) -> bool:
    """Whether an operator of this name can't run on a CPU."""
    return _NEEDS_DEVICE.fullmatch(operator) is not None


def _sign(trace: Trace, names: I32, tells: Callable[[str], bool], what: tuple[str, str]) -> str | None:
    """How many of these names tell of a device, and the most frequent of them."""
    codes = [code for code in distinct(names) if tells(trace.strings[code])]
    counts = {code: int(np.count_nonzero(names == code)) for code in codes}
    if not counts:
        return None
    often = sorted(codes, key=lambda code: (-counts[code], trace.strings[code]))[:NAMES]
    total = sum(counts.values())
    return f"{total:,} {what[total > 1]} ({', '.join(trace.strings[code] for code in often)})"


def _manifests(trace: Trace) -> str | None:
    if trace.manifest is None or trace.manifest.device.get("type") != "cuda":
        return None
    return f"a run on {trace.manifest.device.get('name', 'a GPU')}"

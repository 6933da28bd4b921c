"""Signs of a device in a trace that holds none of its work: what such a trace says is about the host alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.intervals import distinct
from tracer.charge.lost import outermost_calls
from tracer.trace.api import launches

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer.arrays import I32
    from tracer.trace.columns import Trace

# Operators that no CPU runs: NCCL's, what belongs to streams, and what cuDNN, MIOpen and CUDA's attention do.
_NEEDS_DEVICE = re.compile(
    r"nccl:\w+"
    r"|aten::record_stream"
    r"|aten::(?:cudnn|miopen)_(?:convolution|batch_norm|rnn|depthwise)\w*"
    r"|aten::_scaled_dot_product_(?:cudnn|efficient)_attention"
    r"|aten::_(?:flash|efficient)_attention_forward"
)
# Named of all that tell.
NAMES = 2


def unseen_device(trace: Trace) -> str | None:
    """Say that a device worked and was not recorded; None where device ops are recorded, or nothing speaks of any.

    Args:
        trace: with its host calls; with its CPU operators if it has no device ops.
    """
    if len(trace.ops):
        return None
    sign = (
        _sign(trace, trace.calls.name[outermost_calls(trace, launches)], launches, ("launch", "launches"))
        or _sign(trace, trace.cpu_ops.name, needs_device, ("GPU operator", "GPU operators"))
        or _manifests(trace)
    )
    if sign is None:
        return None
    return (
        f"{sign} but no device ops: recorded without the device's activity; times are the host's alone, and no rates "
        "follow from them"
    )


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

"""Whether a trace is of a training: of what does backward passes there are no prompts and no decode steps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracer.charge.intervals import distinct

if TYPE_CHECKING:
    from tracer.trace.columns import Trace

TRAINING = re.compile(r"backward|_bwd|dgrad|wgrad|multi_tensor|adam|sgd|dropout", re.IGNORECASE)
# Ranges that torch opens around an optimizer's step, and operators of its backward pass.
_STEPS = re.compile(r"Optimizer\.(?:step|zero_grad)#|autograd::engine::evaluate_function|Backward\d")


def trains(trace: Trace) -> bool:
    """Whether something was recorded that only a training does."""
    for spans, pattern in ((trace.ops, TRAINING), (trace.ranges, _STEPS), (trace.cpu_ops, _STEPS)):
        if any(pattern.search(trace.strings[name]) for name in distinct(spans.name)):
            return True
    return False

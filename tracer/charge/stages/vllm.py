"""vLLM's steps: `execute_context_<n>(<tokens>)_generation_<m>(<tokens>)`, newer ones with the token count in front."""

from __future__ import annotations

import re

from tracer.charge.stages.named import by_name
from tracer.document.names import DECODE, MIXED, PREFILL

_STEP = re.compile(r"execute_(?:\d+_)?context_(\d+)\([^()]*\)_generation_(\d+)\([^()]*\)")


def _read(name: str) -> tuple[str, int | None] | None:
    match = _STEP.fullmatch(name)
    if match is None:
        return None
    context, generation = match[1].strip("0"), match[2].strip("0")
    if context and generation:
        return MIXED, None
    return (PREFILL if context else DECODE), None


SOURCE = by_name("vllm", 30, _read, engine=True)

"""SGLang's steps: `step[EXTEND bs=1 toks=512]`, `step[DECODE bs=32]`."""

from __future__ import annotations

import re

from tracer.charge.stages.named import by_name
from tracer.document.names import DECODE, MIXED, PREFILL

_STEP = re.compile(r"step\[(\w+)\b.*\]")
_MODES = {"EXTEND": PREFILL, "PREFILL": PREFILL, "DECODE": DECODE, "MIXED": MIXED}


def _read(name: str) -> tuple[str, int | None] | None:
    match = _STEP.fullmatch(name)
    stage = _MODES.get(match[1]) if match else None
    return None if stage is None else (stage, None)


SOURCE = by_name("sglang", 20, _read, engine=True)

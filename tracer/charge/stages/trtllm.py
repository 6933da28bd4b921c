"""TensorRT-LLM's steps, as its PyTorch executor marks them for Nsight Systems (`_torch/pyexecutor/py_executor.py`).

`[Executor] _forward_step 60000: 2 ctx reqs, 512 ctx tokens, 32 gen reqs`; releases of 2025 leave out the tokens, the
first of them the number too. How many tokens a sequence gets that decodes is not said.
"""

from __future__ import annotations

import re

from tracer.charge.stages.batch import NOBODY, Group, label, number
from tracer.charge.stages.engine import Kind, Range, engine
from tracer.document.names import DECODE, MIXED, PREFILL

_STEP = re.compile(
    r"\[Executor\] _forward_step(?: \d+)?: (\d+) ctx reqs?, (?:(\d+) ctx (?:tokens|toks), )?(\d+) gen reqs?.*"
)


def _read(name: str) -> Range | None:
    match = _STEP.fullmatch(name)
    if match is None:
        return None
    prompts, tokens, sequences = (number(digits) for digits in match.groups())
    context = Group(prompts, tokens) if prompts != 0 else NOBODY
    generation = Group(sequences) if sequences != 0 else NOBODY
    stage = MIXED if prompts != 0 and sequences != 0 else PREFILL if prompts != 0 else DECODE
    return Range(Kind.STEP, stage, label("", context, generation))


SOURCE = engine("trtllm", 36, _read)

"""vLLM's steps: the labels of `executes`, and behind them what drafts tokens.

With VLLM_CUSTOM_SCOPES_FOR_PROFILING=1 the phases of a step have ranges too: `gpu_model_runner: preprocess`, `forward`,
`postprocess` inside the step's, `sample`, `draft`, `bookkeep` behind it (vllm-project/vllm
`v1/worker/gpu_model_runner.py`; of the runner of 2026 vllm#52782, and forks that write `v2_gpu_model_runner: ...`).
`draft` proposes the tokens that the next step checks: a stage of its own. The others are phases of their step, whatever
stage that is.
"""

from __future__ import annotations

from tracer.charge.stages.engine import Kind, Range, engine
from tracer.charge.stages.executes import executes
from tracer.document.names import DECODE, DRAFT, MIXED, PREFILL

_DRAFT = Range(Kind.PART, DRAFT)
_PARTS = {"gpu_model_runner: draft": _DRAFT, "v2_gpu_model_runner: draft": _DRAFT}


def _read(name: str) -> Range | None:
    if name in _PARTS:
        return _PARTS[name]
    label = executes(name)
    if label is None:
        return None
    prompts, sequences = label.context.requests != 0, label.generation.requests != 0
    return Range(Kind.STEP, MIXED if prompts and sequences else PREFILL if prompts else DECODE, label)


SOURCE = engine("vllm", 30, _read)

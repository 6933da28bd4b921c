"""Labels of the form `execute_..._context_N(...)_generation_M(...)`: vLLM's, and those of engines patched to be alike.

Each form and where it comes from (AMD-AGI/TraceLens, `TraceUtils/annotation_utils.py`, lists them all):

- `execute_context_2(6144)_generation_3(3)`: requests and, in brackets, tokens; vLLM since January 2026
  (vllm-project/vllm#31193, `gpu_worker.py: annotate_profile`).
- `execute_6147_context_2(sq6144sk7144sqsq20971520sqsk23019520)_generation_3(sq3sk6144sqsq3sqsk6144)`: all tokens in
  front, and the sums of `batch`; vLLM with `--profiler-config.detailed_trace_annotation` (vllm#37524, vllm#45069), and
  TraceLens' patches of vLLM and SGLang.
- `execute_context_1(888_788544)_generation_0(0)`: tokens and the sum of their squares; TraceLens' first patches.

- `execute_8_context_0_generation_1`: all tokens in front, and requests; without the tokens nothing tells whether the
  numbers are requests or tokens, and only which kinds there are counts. As forks write it.

Of a name that somebody cut off within the last brackets, as long ones are, the numbers in front of these count.
"""

from __future__ import annotations

import re

from tracer.charge.stages.batch import NOBODY, Group, Label, label, number

_STEP = re.compile(r"execute_(?:\d+_)?context_(\d+)\(([^()]*)\)_generation_(\d+)\((?:([^()]*)\)|[^()]*)")
_COUNTS = re.compile(r"execute_(?:(\d+)_)?context_(\d+)_generation_(\d+)")
_SUMS = re.compile(r"(?:sq)?(\d+)(?:sk(\d+))?(?:(?:sqsq|_)(\d+))?(?:sqsk(\d+))?")


def executes(name: str) -> Label | None:
    """What such a label says; None of any other name."""
    match = _STEP.fullmatch(name)
    if match is not None:
        return label("", _group(match[1], match[2]), _group(match[3], match[4] or ""))
    counts = _COUNTS.fullmatch(name)
    return None if counts is None else _counted(*counts.groups())


def _counted(tokens: str | None, prompts: str, sequences: str) -> Label:
    """Of a label without brackets: tokens in front are of one kind where there is one."""

    def group(count: str, other: str) -> Group:
        if not count.strip("0"):
            return NOBODY
        if tokens is None:
            return Group()
        return Group(number(count), None if other.strip("0") else number(tokens))

    # It says that this is a step even where it says nothing of the batch.
    return label("execute", group(prompts, sequences), group(sequences, prompts))


def _group(requests: str, sums: str) -> Group:
    if not requests.strip("0"):
        return NOBODY
    found = _SUMS.fullmatch(sums)
    if found is None:
        return Group(requests=number(requests))
    tokens, kv_tokens, squares, products = (number(text) for text in found.groups())
    return Group(number(requests), tokens, kv_tokens, squares, products)

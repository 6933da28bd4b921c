"""Why a trace has no stages, and how to get some of this program: by what was recorded of it, and what was not."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.intervals import distinct, outermost
from tracer.document.names import DECODE, PREFILL, VISION
from tracer.document.summary import UNSTAGED, Abstained
from tracer.measure.threads import silence, to_hear, weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.summary import HostThread, RangeRow
    from tracer.trace.columns import Trace

OWN_MARKS = (
    "mark the stages with tracer.request() and tracer.stage() in the program, or have a script that calls "
    "transformers' generate recorded as it is: tracer record --auto -- script.py"
)
OLD_LABELS = re.compile(r"execute_new_\d+_cached_\d+")
SCOPES = ("gpu_model_runner: ", "v2_gpu_model_runner: ")
SHOWN = 3
# Words in which people name what no grammar reads as it stands; whether it is the stage they know.
_WORDS = {stage: re.compile(rf"(?<![a-z]){stage}(?![a-z])", re.IGNORECASE) for stage in (VISION, PREFILL, DECODE)}
# What libraries open among operators, in no namespace either: compilers, autograd, loaders and optimizers.
_OF_LIBRARIES = re.compile(
    r".*::.*|(?:ProfilerStep|Optimizer\.\w+|enumerate\(\w+\))#.*|\w*Backward\d*|triton_.*|Torch.*|.*CompiledF.*|Inductor.*|Call.*|Pregraph.*"
)


def _kept_as_operators(trace: Trace) -> Abstained | None:
    names = _ranges_among_operators(trace)
    if not names:
        return None
    return Abstained(
        what=UNSTAGED,
        reason=f"there is no range in the file, but operators that hold others have names as ranges do "
        f"({_shown(names)}): old profilers kept ranges as operators",
        next_step=(
            "say which are stages, if some are: --marker prefill=REGEX --marker decode=REGEX, which match operators "
            f"too; else {OWN_MARKS}"
        ),
    )


def _shown(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _ranges_among_operators(trace: Trace) -> list[str]:
    """The names of operators that lie in no other and hold some, as a person's ranges do; the commonest first."""
    spans, found = trace.cpu_ops, Counter[str]()
    for thread in distinct(spans.thread):
        own = np.flatnonzero(spans.thread == thread)
        outer = own[outermost(spans.start_ns[own], spans.end_ns[own])]
        starts_ns = np.sort(spans.start_ns[own])
        held = np.diff(
            np.searchsorted(starts_ns, np.stack([spans.start_ns[outer], spans.end_ns[outer]]), "left"), axis=0
        )
        found.update(trace.strings[name] for name in spans.name[outer[held[0] > 1]].tolist())
    return [name for name, _ in found.most_common() if not _OF_LIBRARIES.fullmatch(name)]


def no_stages(trace: Trace, threads: Sequence[HostThread], annotations: Sequence[RangeRow]) -> Abstained:
    """Of a trace in which no stages were found.

    Args:
        trace: with its ranges.
        threads: that launched.
        annotations: all ranges by name, most device time first.
    """
    silent, worked = [row for row in threads if row.silent], weights(threads)
    if 2 * sum(much for row, much in zip(threads, worked, strict=True) if row.silent) > sum(worked):
        return Abstained(what=UNSTAGED, reason=silence(trace, silent, len(trace.ops)), next_step=to_hear(trace, silent))
    names = [row.name for row in annotations]
    if any(OLD_LABELS.fullmatch(name) for name in names):
        return Abstained(
            what=UNSTAGED,
            reason="vLLM's labels of late 2025 (execute_new_1_cached_0) do not tell prompts in chunks from decoding",
            next_step=(
                r"where prompts were not cut into chunks, say so: --marker 'prefill=^execute_new_[1-9]\d*_cached_0$' "
                "--marker 'decode=^execute_new_0_cached_'; later releases write labels that tell"
            ),
        )
    if any(name.startswith(SCOPES) for name in names):
        return Abstained(
            what=UNSTAGED,
            reason="vLLM's phases have ranges here, its steps have none, and no phase says whether it is of a prompt",
            next_step="record with vLLM's own profiler (/start_profile), which labels each step, see docs/serving.md",
        )
    if (worded := _worded(names)) is not None:
        return worded
    if annotations:
        return Abstained(
            what=UNSTAGED,
            reason=f"no range has a name that says which stage it is ({_shown(names)})",
            next_step=(
                "say which ranges are stages, if some are: --marker prefill=REGEX --marker decode=REGEX; else "
                f"{OWN_MARKS}"
            ),
        )
    if trace.format != "chrome":
        return Abstained(
            what=UNSTAGED, reason="there is no NVTX range in the report", next_step=f"trace NVTX too, and {OWN_MARKS}"
        )
    if (kept := _kept_as_operators(trace)) is not None:
        return kept
    if len(trace.modules):
        return Abstained(
            what=UNSTAGED,
            reason="modules were recorded, and none that is a language model's with decoder layers in it",
            next_step=f"break time down by them with --by module; for stages {OWN_MARKS}",
        )
    return _without_names(trace)


def _worded(names: Sequence[str]) -> Abstained | None:
    """Of ranges of which some have a language model's stage as a word in their names; None without such."""
    found = {stage: said for stage, word in _WORDS.items() if (said := [name for name in names if word.search(name)])}
    if not found.keys() & {PREFILL, DECODE}:
        return None
    shown = [name for name in names if any(name in said for said in found.values())]
    markers = " ".join(f"--marker '{stage}=(?i){stage}'" for stage in found)
    return Abstained(
        what=UNSTAGED,
        reason=f"names of ranges hold a stage's word ({_shown(shown)}), and no known program writes them so",
        next_step=f"say that these are the stages, if they are: {markers}; else {OWN_MARKS}",
    )


def _without_names(trace: Trace) -> Abstained:
    """Of a trace in which nothing has a name that could tell."""
    if trace.stacks:
        return Abstained(
            what=UNSTAGED,
            reason="there is no range in the file, and no Python frame of the thread that launched tells a stage",
            next_step=(
                "start the profiler in the thread that runs the model, if that was another: frames are those of one "
                f"thread alone; or {OWN_MARKS}"
            ),
        )
    return Abstained(
        what=UNSTAGED,
        reason="there is no range in the file, and no Python frame from which stages could be told",
        next_step=(
            f"{OWN_MARKS}; or record frames too (torch.profiler's with_stack=True), by which transformers' generate "
            "and its modules tell"
        ),
    )

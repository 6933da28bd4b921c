"""What the labels of a serving engine say of its steps, beside what these took."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import sum_by
from tracer.charge.stages.batch import NO_LABEL
from tracer.document.names import ALL_STAGES
from tracer.document.summary import BatchGroup, EngineStep, Held, Phase, Serving, Spread
from tracer.kernels.categories import categorise
from tracer.measure.between_steps import between_steps
from tracer.measure.roofline.attention import attention_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracer.arrays import I64
    from tracer.charge.stages.batch import Group
    from tracer.choices import Choices
    from tracer.document.summary import RangeRow, SteadyPart
    from tracer.measure.roofline.attention import Layers
    from tracer.measure.runs import Runs
    from tracer.trace.columns import Trace

# Of vLLM's runners, and of SGLang's scheduler (`srt/utils/nvtx_utils.py`), which runs between steps; a step may have
# dozens of other ranges inside.
PHASES = ("gpu_model_runner: ", "v2_gpu_model_runner: ", "scheduler.")
# What writes the cache is counted as attention elsewhere; it does none of its arithmetic.
WRITES_CACHE = "reshape_and_cache"


def serving(
    trace: Trace,
    runs: Runs,
    annotations: Sequence[RangeRow],
    choices: Choices,
    *,
    steady: SteadyPart | None,
    layers: Layers | None = None,
) -> Serving | None:
    """Put it together; None of a trace without an engine's steps.

    Args:
        trace: with operators and their shapes, if attention's work is to be known.
        runs: of its stages.
        annotations: all ranges by name.
        choices: what a person chose; peaks.
        steady: what was left out.
        layers: what attends in the model, where what was left out told it.
    """
    if not runs.ranges.engine:
        return None
    steps, between = _steps(trace, runs), between_steps(trace, runs.ranges, runs.work)
    attention, missing = attention_rows(trace, runs, steps, choices, known=layers)
    return Serving(
        steps=steps,
        held=[_held(stage, [step for step in steps if step.stage == stage]) for stage in _stages(steps)],
        phases=[_phase(row) for row in annotations if row.name.startswith(PHASES)],
        attention=attention,
        no_attention=missing,
        between=None if between is None or runs.lost.any() or runs.in_gap.any() else between.told,
        steady=steady,
    )


def step_places(runs: Runs) -> list[int]:
    """The ranges that are steps: those with a label; parts of steps have none."""
    return [place for place, label in enumerate(runs.ranges.labels) if label != NO_LABEL]


def _steps(trace: Trace, runs: Runs) -> list[EngineStep]:
    attention = attention_times(trace, runs)
    found = []
    for place in step_places(runs):
        label, recorded = runs.ranges.labels[place], not runs.lost[place]
        found.append(
            EngineStep(
                stage=ALL_STAGES[runs.ranges.stage[place]],
                mode=label.mode,
                start_ns=int(runs.ranges.start_ns[place]),
                requests=label.requests,
                tokens=label.tokens,
                context=_group(label.context),
                generation=_group(label.generation),
                device_time_ns=int(runs.time_ns[place]) if recorded else None,
                busy_ns=int(runs.busy_ns[place]) if recorded else None,
                idle_ns=int(runs.idle_ns[place]) if recorded and not runs.in_gap[place] else None,
                attention_ns=int(attention[place]) if recorded else None,
            )
        )
    return found


def attention_times(trace: Trace, runs: Runs) -> I64:
    """Device time of attention's kernels in each range."""
    work = runs.work
    held = np.flatnonzero(work.stage >= 0)
    names = set(work.name[held].tolist())
    attends = [
        name
        for name in names
        if categorise(trace.strings[name]) == "attention" and WRITES_CACHE not in trace.strings[name]
    ]
    rows = held[np.isin(work.name[held], attends)]
    return sum_by(int64(work.stage[rows]), work.time_ns[rows], len(runs))


def _group(group: Group) -> BatchGroup:
    return BatchGroup(requests=group.requests, tokens=group.tokens, kv_tokens=group.kv_tokens, pairs=group.pairs)


def _stages(steps: Iterable[EngineStep]) -> list[str]:
    found = {step.stage for step in steps}
    return [stage for stage in ALL_STAGES if stage in found]


def _held(stage: str, steps: Sequence[EngineStep]) -> Held:
    counted = [(step.tokens, step.device_time_ns) for step in steps]
    # A step whose work was only captured, or is of ops without launches, took the device none that is known.
    known = [(tokens, time_ns) for tokens, time_ns in counted if tokens and time_ns]
    tokens, time_ns = (sum(column) for column in zip(*known, strict=True)) if known else (0, 0)
    return Held(
        stage=stage,
        steps=len(steps),
        prompts=_spread(step.context.requests for step in steps),
        prompt_tokens=_spread(step.context.tokens for step in steps),
        sequences=_spread(step.generation.requests for step in steps),
        new_tokens=_spread(step.generation.tokens for step in steps),
        kv_tokens=_spread(_both(step.context.kv_tokens, step.generation.kv_tokens) for step in steps),
        tokens=_spread(step.tokens for step in steps),
        ns_per_token=time_ns / tokens if tokens else None,
    )


def _both(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _spread(values: Iterable[int | None]) -> Spread | None:
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    middle = len(known) // 2
    median = known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2
    return Spread(low=known[0], median=median, high=known[-1])


def _phase(row: RangeRow) -> Phase:
    return Phase(name=row.name, count=row.count, cpu_ns=row.cpu_ns, ops=row.ops, device_time_ns=row.device_time_ns)

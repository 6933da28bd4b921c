"""The figures of a summary that comparisons and budgets are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import DECODE, PREFILL, REQUEST, TPOT, TTFT, VISION
from tracer.document.summary import PASSES, measures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.document.summary import RequestLatency, Stage, Summary

REQUESTS, MEDIANS, TRACE = "requests", "medians", "trace"
# From the best to the least: tested request by request, measured without a profiler, taken from the trace.
SOURCES = (REQUESTS, MEDIANS, TRACE)
VISUAL, PROMPT, OUTPUT = "visual token", "prompt token", "output token"


def best_source(summary: Summary) -> str:
    """The best source that a summary has."""
    if summary.requests:
        return REQUESTS
    return MEDIANS if summary.latency is not None else TRACE


def figures(summary: Summary, source: str) -> dict[str, float]:
    """Nanoseconds of each measure: medians over requests, or of the trace one run of each stage.

    A trace alone does not say what a request takes; of its decode steps there is the mean, as TPOT, unless they are
    passes of which nobody knows how many tokens they yielded.
    """
    latency = summary.latency
    if source != TRACE and latency is not None:
        later = {TTFT: latency.ttft_ns, TPOT: latency.tpot_ns}
        known = {name: time_ns for name, time_ns in later.items() if time_ns is not None}
        return {**latency.stages_ns, REQUEST: latency.request_ns, **known}
    in_trace = {stage.stage: _took_ns(stage) / stage.runs for stage in summary.stages if stage.runs > 0}
    if summary.trace.steps == PASSES:
        in_trace.pop(DECODE, None)
    return {TPOT if stage == DECODE else stage: time_ns for stage, time_ns in in_trace.items()}


def _took_ns(stage: Stage) -> int:
    """All calls of a stage; where a document does not say what passed, all of its devices' time."""
    if stage.wall_ns is not None:
        return stage.wall_ns
    return stage.busy_ns + stage.idle_ns if stage.ops else stage.cpu_ns


def shares(summary: Summary, source: str) -> dict[str, float]:
    """Each stage's share of the request; of a trace alone, of the time of all its stages, recorded or not."""
    if source != TRACE:
        found = figures(summary, source)
        whole = found.pop(REQUEST)
        found.pop(TPOT, None)
    else:
        found = {stage.stage: _took_ns(stage) * stage.scale for stage in summary.stages}
        whole = sum(found.values())
    return {name: time_ns / whole for name, time_ns in found.items()} if whole > 0 else {}


def per_token(request: RequestLatency) -> dict[tuple[str, str], float]:
    """Nanoseconds per token of all sequences, by stage and kind of token.

    Vision and prefill per visual token; prefill per position of the prompt, visual and text; decode per token that
    a step yields. Models answer at different lengths and see pictures at different sizes.
    """
    batch = request.batch_size
    counts = (
        (VISION, VISUAL, request.visual_tokens * batch),
        (PREFILL, VISUAL, request.visual_tokens * batch),
        (PREFILL, PROMPT, (request.visual_tokens + request.prompt_tokens) * batch),
        (DECODE, OUTPUT, request.later_tokens * batch),
    )
    return {
        (stage, kind): request.stages_ns[stage] / count
        for stage, kind, count in counts
        if count > 0 and stage in request.stages_ns
    }


def all_measures(request: RequestLatency) -> Mapping[tuple[str, str], float]:
    """Every measure of a request by name and by what it is taken per ("" for the whole)."""
    return {(name, ""): value for name, value in measures(request).items()} | per_token(request)

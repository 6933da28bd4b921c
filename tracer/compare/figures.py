"""The figures of a summary that comparisons and budgets are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import DECODE, PREFILL, REQUEST, TPOT, TTFT, VISION
from tracer.document.summary import PASSES, UNWORKED, Abstained, Lost, measures

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
    passes of which nobody knows how many tokens they yielded. Of a stage that lacks device ops there is a figure only
    where some runs of it do not; see `why_unknown`.
    """
    latency = summary.latency
    if source != TRACE and latency is not None:
        later = {TTFT: latency.ttft_ns, TPOT: latency.tpot_ns}
        known = {name: time_ns for name, time_ns in later.items() if time_ns is not None}
        return {**latency.stages_ns, REQUEST: latency.request_ns, **known}
    in_trace = {stage.stage: run_ns for stage in summary.stages if (run_ns := _run_ns(summary, stage)) is not None}
    # Where others check drafts, steps without one are not what a token takes.
    if summary.trace.steps == PASSES or summary.speculation is not None:
        in_trace.pop(DECODE, None)
    return {TPOT if stage == DECODE else stage: time_ns for stage, time_ns in in_trace.items()}


def _run_ns(summary: Summary, stage: Stage) -> float | None:
    """What one run of a stage took in the trace, of those whose work was recorded; None if none was."""
    if stage.runs <= 0:
        return None
    if stage.took_ns is not None:
        return stage.took_ns / stage.runs
    return next((one.step_ns for one in summary.budget if one.stage == stage.stage and not one.clean), None)


def why_unknown(summary: Summary, of: str, source: str) -> Lost | Abstained | None:
    """Why a trace does not say what a measure took: launches of it lack device ops, or it holds no work at all.

    None where neither is why.
    """
    if source != TRACE:
        return None
    if not isinstance(summary.lost, Lost):
        return next((one for one in summary.abstained if one.what == UNWORKED), None)
    stages = [stage.stage for stage in summary.stages if stage.took_ns is None]
    return summary.lost if (DECODE if of == TPOT else of) in stages or not stages else None


def shares(summary: Summary, source: str) -> dict[str, float]:
    """Each stage's share of the request; of a trace alone, of the time of all its stages, recorded or not."""
    if source != TRACE:
        found = figures(summary, source)
        whole = found.pop(REQUEST)
        found.pop(TPOT, None)
    else:
        taken = {stage.stage: (stage.took_ns, stage.scale) for stage in summary.stages}
        found = {name: took_ns * scale for name, (took_ns, scale) in taken.items() if took_ns is not None}
        whole = sum(found.values()) if len(found) == len(taken) else 0.0  # a part of them is no whole
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

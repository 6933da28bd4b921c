"""A trace file becomes a `Summary`: read what is wanted, find stages, charge, measure, find what is worth knowing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tracer.charge import overlaps
from tracer.charge.clocks import doubtful_launches
from tracer.charge.joined import without_joins
from tracer.charge.lost import find_lost, lost_of_whole
from tracer.charge.stages.find import find_stages
from tracer.charge.stages.pattern import require_matches
from tracer.charge.stages.ranges import StageRanges
from tracer.charge.steady import steady_part
from tracer.charge.unlaunched import unlaunched
from tracer.charge.window import request_part
from tracer.charge.work import work_of
from tracer.choices import Choices
from tracer.document.summary import SCHEMA, Summary
from tracer.findings.evidence import Evidence
from tracer.findings.find import ask
from tracer.measure import graph_names, needs, occupancy, python_lines, recording
from tracer.measure import lost as missed
from tracer.measure.abstained import abstentions, calls_lost, is_rated
from tracer.measure.annotations import SHOWN, annotation_rows, rangeless
from tracer.measure.breakdown import break_down, unlisted
from tracer.measure.counts import count
from tracer.measure.decoding import describe
from tracer.measure.doubt import doubts, requests_without_doubted, without_doubted
from tracer.measure.energy import energy, unmeasured, with_energy
from tracer.measure.footprint import footprint, with_footprint
from tracer.measure.fusion import with_fused
from tracer.measure.host import host_layers, with_host
from tracer.measure.joint import Solo, joint, unmatched, whole_solos
from tracer.measure.known import Known, known_stages, known_times, known_tokens
from tracer.measure.latency import clean_latency
from tracer.measure.launching import launching
from tracer.measure.memory import with_memory
from tracer.measure.provenance import trace_info
from tracer.measure.requests import request_rows
from tracer.measure.roles import role_rows
from tracer.measure.roofline.attention import Layers, layers_of
from tracer.measure.roofline.draw import draw_roofline
from tracer.measure.roofline.recorded import NO_SHAPES
from tracer.measure.runs import runs_of
from tracer.measure.serving import serving
from tracer.measure.speculating.drafting import told
from tracer.measure.speculating.speculation import unanswered
from tracer.measure.stages import stage_rows
from tracer.measure.takes import covered, run_times
from tracer.measure.threads import host_threads, unheard
from tracer.measure.tokens import token_rows
from tracer.measure.totals import device_totals, window_of
from tracer.measure.unseen import unseen_device
from tracer.measure.unstaged import no_stages
from tracer.trace.beside import beside
from tracer.trace.columns import NOTHING, Want
from tracer.trace.memory import give_back_freed_pages
from tracer.trace.moments import waiting_moments
from tracer.trace.reader import read_source
from tracer.trace.source import Source
from tracer.trace.unread import refuse_unread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tracer.charge.lost import LostWork
    from tracer.charge.unlaunched import Unlaunched
    from tracer.charge.work import Work
    from tracer.document.manifest import Manifest
    from tracer.document.summary import (
        DeviceTotals,
        Latency,
        Lost,
        Memory,
        RequestLatency,
        Roofline,
        RunTime,
        Stage,
        SteadyPart,
        Token,
    )
    from tracer.measure.runs import Runs
    from tracer.trace.columns import Trace
    from tracer.trace.moments import Moments

    # What reads the same file once more, if anybody asks for it.
    Again: TypeAlias = Callable[[], Trace] | None


__all__ = ["Charged", "Choices", "charge", "read", "summarize", "summarize_charged", "summarize_file"]


@dataclass(frozen=True, slots=True)
class Charged:
    """A trace with what every figure is made of.

    Attributes:
        trace: as read; its overlaps cut, where that was chosen.
        ranges: its stages.
        work: its work, each piece charged.
        overlaps: those that the file has.
        lost: what was launched and not recorded.
        steady: what was left out, where the steady part alone was chosen; the trace is that part.
        layers: what the whole trace says of them then, which the part need not.
    """

    trace: Trace
    ranges: StageRanges
    work: Work
    overlaps: overlaps.Overlaps
    lost: LostWork
    steady: SteadyPart | None = None
    layers: Layers | None = None


def summarize_file(path: str | Path, choices: Choices | None = None) -> Summary:
    """Read a trace and summarise it.

    Raises:
        InputError: the file is no trace.
    """
    choices = choices or Choices()
    with Source(path, choices.limits) as source:
        return summarize_source(source, choices)


def summarize_source(source: Source, choices: Choices) -> Summary:
    """Summarise an open trace file, which may have been read before.

    Raises:
        InputError: the file is no trace.
    """
    trace = read(source, choices)
    return summarize(
        trace, choices, frames=frames_of(source, trace, choices), launches=launches_of(source, trace, choices)
    )


def read(source: Source, choices: Choices, *, also: Want = NOTHING) -> Trace:
    """Read of an open trace file what its summary takes.

    Args:
        source: the file.
        choices: what a person chose.
        also: what else to read.

    Raises:
        InputError: the file is no trace.
    """
    want = needs.at_first(choices) | also
    trace = _read(source, want, choices)
    while (more := needs.after_all(trace, choices)) & ~(want | trace.had):
        want |= more
        del trace  # so that there are not two
        trace = _read(source, want, choices)
    if (rest := needs.in_the_end(trace, choices)) & ~want:
        del trace
        trace = _read(source, want | rest, choices)
    more = needs.beside(trace, choices)
    return beside(trace, _read(source, more, choices)) if more else trace


def frames_of(source: Source, trace: Trace, choices: Choices) -> Again:
    """What reads the same file for its Python frames in which a thread waited for a device, where it has some."""
    return (lambda: _read(source, python_lines.NEEDS, choices, waiting_moments(trace))) if trace.stacks else None


def launches_of(source: Source, trace: Trace, choices: Choices) -> Again:
    """What reads the same file for how its kernels were launched, where that was not read and the file is not large."""
    large = trace.launched is not None or trace.events > needs.WAITING_EVENTS
    return None if large else (lambda: _read(source, occupancy.NEEDS, choices))


def _read(source: Source, want: Want, choices: Choices, at: Moments | None = None) -> Trace:
    return read_source(source, want, jobs=choices.jobs, strict=choices.strict, nsys=choices.nsys, at=at)


def summarize(trace: Trace, choices: Choices | None = None, *, frames: Again = None, launches: Again = None) -> Summary:
    """Summarise a trace that has device ops, or CPU operators in their place.

    Args:
        trace: to summarise.
        choices: what a person chose.
        frames, launches: read the same file for its Python frames, or how its kernels were launched; called only if a
            finding needs them.

    Raises:
        InputError: times too wild to be added up, or a steady part was asked for and there is none.
    """
    choices = choices or Choices()
    return summarize_charged(charge(trace, choices), choices, frames=frames, launches=launches)


def charge(trace: Trace, choices: Choices) -> Charged:
    """Find the stages of a trace and charge its work.

    Raises:
        InputError: times too wild to be added up, or a part was asked for and there is none.
    """
    steady, layers = None, None
    if choices.steady or choices.request is not None or choices.patterns or choices.by or choices.shapes:
        refuse_unread(trace)
    # What tells that work was not recorded, or a part of a replay's, may lie outside what is chosen.
    told = lost_of_whole(trace) if choices.steady or choices.request is not None else None
    if choices.steady:
        whole = find_stages(trace, choices.patterns)
        layers = layers_of(trace, whole)
        trace, steady = steady_part(trace, whole)
    overlapping = overlaps.measure(trace.ops)
    if choices.clip_overlaps:
        trace = overlaps.clip(trace)
    require_matches(trace, choices.patterns)
    ranges = find_stages(trace, choices.patterns)
    if choices.request is not None:
        trace, ranges = request_part(trace, ranges, choices.request)
    work = work_of(trace, ranges, any_thread=choices.any_thread)
    lost = find_lost(trace, ranges, work, any_thread=choices.any_thread, told=told)
    # What was lost is said of its stages.
    if not len(lost) and (untold := without_joins(trace, ranges, work)) is not None:
        ranges, work = untold, work_of(trace, untold)
    give_back_freed_pages(trace.events)
    return Charged(trace, ranges, work, overlapping, lost, steady, layers)


def summarize_charged(charged: Charged, choices: Choices, *, frames: Again = None, launches: Again = None) -> Summary:
    """Measure what was charged, and find what is worth knowing; see `summarize`."""
    ranges, work, lost = charged.ranges, charged.work, charged.lost
    trace = _with_capture(charged.trace, work, choices)
    missing, runs, device, stages, tokens, times, latency, requests, memory = _measure(charged)
    give_back_freed_pages(trace.events)
    orphans = unlaunched(trace, ranges, work)
    unsure, known = calls_lost(work, orphans), _known(stages, tokens, times, orphans)
    decoding = describe(known.tokens, trace.manifest, on_device=work.on_device, one_each=ranges.tokens)
    roofline, unrated = _rates(trace, runs, known, tokens, choices, missing)
    coverage = covered(runs, trace.manifest)
    annotations, threads = annotation_rows(trace, work, lost), host_threads(trace, work, lost, staged=ranges.marked)
    (speculated, drafted), (solos, unlike) = told(trace, runs, choices), whole_solos(_solos(choices))
    held, used = footprint(trace.manifest), energy(trace.manifest)
    together, rate = joint(trace, ranges, work, solos, missing), launching(trace.manifest, stages)
    unlike += unmatched(together, solos, missing)
    evidence = Evidence(
        trace=trace, ranges=ranges, work=work, overlaps=charged.overlaps, device=device, stages=known.stages,
        tokens=known.tokens, times=known.times, latency=latency, decoding=decoding, roofline=roofline,
        coverage=coverage, requests=requests, frames=frames, launches=launches, lost=missing, launching=rate,
        speculation=speculated, joint=together, footprint=held, unknown=_unknown(stages, orphans),
        untold=unsure[0] if unsure else None,
    )  # fmt: skip
    found, unasked = ask(evidence)
    window, unstaged = window_of(work), None if ranges.marked else no_stages(trace, threads, annotations)
    give_back_freed_pages(trace.events)
    breakdown = break_down(trace, runs, choices.by) if choices.by else None
    return Summary(
        schema_=SCHEMA,
        trace=trace_info(trace, ranges, choices, window, _warnings(trace, work, times, *unrated)),
        window=window,
        device=device,
        stages=with_energy(with_footprint(stages, held), used),
        tokens=tokens,
        ranges=annotations[: None if choices.all_ranges else SHOWN],
        latency=latency,
        findings=found,
        budget=list(times.values()),
        breakdown=breakdown,
        run=recording.describe(trace.manifest) if trace.manifest else None,
        decoding=decoding,
        roofline=roofline,
        requests=requests,
        coverage=coverage,
        rangeless=rangeless(trace, work),
        abstained=[
            *abstentions(trace, ranges, work, stages, missing, rated=is_rated(trace, choices), unstaged=unstaged),
            *[*unanswered(speculated, ranges), *unlike, *unasked, *unmeasured(trace.manifest), *unsure],
            *[*unlisted(breakdown, missing), *graph_names.unnamed(trace, breakdown, choices.capture)],
            *(unheard(trace, threads, any_thread=choices.any_thread) if ranges.marked else ()),
        ],
        **_there(lost=missing, memory=memory, footprint=held, energy=used),
        serving=serving(trace, runs, annotations, choices, steady=charged.steady, layers=charged.layers),
        threads=threads,
        speculation=speculated,
        drafting=drafted,
        joint=together,
        roles=role_rows(runs),
        launching=rate,
    )


def _known(
    stages: Sequence[Stage], tokens: Sequence[Token], times: Mapping[str, RunTime], orphans: Unlaunched | None
) -> Known:
    """Of which all is known, and nobody lost a call."""
    found = Known(known_stages(stages), known_tokens(tokens), known_times(times))
    return found if orphans is None else found.without(orphans.stages)


def _unknown(stages: Sequence[Stage], orphans: Unlaunched | None) -> frozenset[str]:
    """The stages of which some time is not known."""
    unsure = orphans.stages if orphans is not None else []
    return frozenset([*[stage.stage for stage in stages if stage.took_ns is None], *unsure])


def _there(**parts: Any) -> dict[str, Any]:
    """The parts that there are; the others are absent from the document."""
    return {name: part for name, part in parts.items() if part is not None}


class _Measured(NamedTuple):
    """What a summary's parts are made of."""

    missing: Lost | None
    runs: Runs
    device: DeviceTotals
    stages: list[Stage]
    tokens: list[Token]
    times: dict[str, RunTime]
    latency: Latency | None
    requests: list[RequestLatency]
    memory: Memory | None


def _measure(charged: Charged) -> _Measured:
    """Add up the runs of the stages, on the device, on the host, in memory, and without a profiler."""
    trace, ranges, work, lost = charged.trace, charged.ranges, charged.work, charged.lost
    runs, counts = runs_of(ranges, work, trace.manifest, lost), count(trace, ranges, work, lost)
    device = device_totals(trace.strings, work, charged.overlaps, lost, staged=len(ranges) > 0)
    stages, tokens = stage_rows(trace.strings, runs, counts, trace.manifest), token_rows(runs, counts)
    times = with_fused(run_times(runs, trace.manifest), trace, runs)
    latency, requests = _clean(trace.manifest, times)
    slowed = {} if latency is None else latency.distortion
    stages, tokens = with_host(stages, tokens, host_layers(trace, runs), runs, slowed)
    stages, tokens, memory = with_memory(stages, tokens, trace, runs)
    missing = missed.describe(trace, ranges, lost)
    return _Measured(missing, runs, device, stages, tokens, times, latency, requests, memory)


def _solos(choices: Choices) -> dict[str, Solo]:
    """The traces of models by themselves that a person gave, charged.

    Raises:
        InputError: one is no trace.
    """
    found = {}
    for role, path in choices.solos.items():
        with Source(path, choices.limits) as source:
            alone = _read(source, Want.SUMMARY, choices)
        found[role] = alone, work_of(alone, StageRanges.none())
    return found


def _with_capture(trace: Trace, work: Work, choices: Choices) -> Trace:
    """The trace, knowing from where its graphs were captured, if a person gave a trace of that.

    Raises:
        InputError: that is no trace.
    """
    if choices.capture is None:
        return trace
    with Source(choices.capture, choices.limits) as source:
        return graph_names.with_capture(trace, work, _read(source, graph_names.NEEDS, choices))


def _rates(
    trace: Trace, runs: Runs, known: Known, tokens: Sequence[Token], choices: Choices, lost: Lost | None
) -> tuple[Roofline | None, list[str]]:
    """The roofline, and what to say where there is none."""
    unseen = unseen_device(trace)
    if unseen is not None:
        return None, [unseen]  # how long the host was busy says nothing of the device's work
    if lost is not None and not len(runs):
        return None, []  # the trace as a whole has no device time
    roofline = draw_roofline(trace, runs, known.stages, tokens, known.times, choices)
    return roofline, [NO_SHAPES] if choices.shapes and roofline is None else []


def _clean(manifest: Manifest | None, times: Mapping[str, RunTime]) -> tuple[Latency | None, list[RequestLatency]]:
    """What was measured without a profiler, less what is doubted."""
    if manifest is None:
        return None, []
    requests = request_rows(manifest)
    return without_doubted(clean_latency(manifest, requests), times), requests_without_doubted(requests, times)


def _warnings(trace: Trace, work: Work, times: Mapping[str, RunTime], *others: str | None) -> list[str | None]:
    """What a reader must know to believe the figures."""
    doubtful = doubtful_launches(trace, work.call, work.clocks) if work.clocks is not None else []
    return [*others, *doubtful, *doubts(times)]

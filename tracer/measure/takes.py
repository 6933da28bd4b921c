"""What one run of each stage takes, and how many a request has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer.document.names import DECODE, DRAFT, MAP, VERIFY
from tracer.document.summary import Coverage, RunTime
from tracer.measure.alike import alike
from tracer.measure.requests import marked_stages, stage_ns

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.document.manifest import Latencies, Manifest
    from tracer.measure.runs import Runs


# A latency that many times shorter than the device was busy is none of the stage's.
BY_FAR = 2
# Stages that a request runs once a step, or once a round.
STEPS = (DECODE, DRAFT, MAP, VERIFY)


def run_times(runs: Runs, manifest: Manifest | None) -> dict[str, RunTime]:
    """What one run of each stage takes, by the stage's name, in the order of a request.

    Without a profiler where the recording measured that for requests that are like those in the trace, else in the
    trace: a data set's median says nothing of the sample that was recorded. Runs that lack device ops do not count.
    """
    return {stage: _run_time(runs, stage, manifest) for stage in runs.stages()}


def _run_time(runs: Runs, stage: str, manifest: Manifest | None) -> RunTime:
    own = runs.of(stage)
    recorded = runs.count(own)
    kind = Kind(stage, steps=stage in STEPS and bool((runs.ranges.index[own] >= 0).any()))
    samples = runs.sample[own].tolist()
    # Where the trace has rounds, a step that the clean pass measured is a whole one.
    rounds = stage == DECODE and len(runs.of(VERIFY)) > 0
    clean_ns = None if manifest is None or rounds else _clean_ns(manifest, kind, samples)
    worked, whole = runs.recorded(own), runs.whole(own)
    busy_ns = int(runs.together_busy_ns[worked].sum()) / runs.count(worked) if len(worked) else None
    # A profiler may make kernels a little longer; operators of a CPU it makes much longer.
    doubted = bool(clean_ns) and runs.work.on_device and (clean_ns or 0) < (busy_ns or 0) / BY_FAR
    timed = own if runs.unrecorded else whole  # by their ranges, as what asked for nothing
    in_trace_ns = runs.takes_ns(timed) / runs.count(timed) if len(timed) else None
    return RunTime(
        stage=stage,
        runs=recorded if manifest is None or rounds else _runs_of_a_request(runs, own, kind, manifest),
        busy_ns=busy_ns,
        step_ns=in_trace_ns if doubted or not clean_ns else clean_ns,
        clean=bool(clean_ns) and not doubted,
        devices=max(1, runs.devices(own)),
        recorded=recorded,
        doubted_ns=clean_ns if doubted else None,
        left_out=0 if runs.unrecorded else recorded - runs.count(worked),
    )


@dataclass(frozen=True, slots=True)
class Kind:
    """What a run is one of: a stage, or the steps of decoding where these are told apart."""

    stage: str
    steps: bool

    def clean_ns(self, request: Latencies) -> float | None:
        """What a run took in a request without a profiler, on average; None if that was not measured."""
        if self.steps:
            return sum(request.decode_ns) / len(request.decode_ns) if request.decode_ns else None
        return stage_ns(request, self.stage)


def _clean_ns(manifest: Manifest, kind: Kind, samples: list[int]) -> float | None:
    """The median over requests like each that was recorded, averaged over these; None if one is like no other."""
    from statistics import median

    if kind.stage not in marked_stages(manifest):
        return None
    whole_ns = 0
    for sample, times in Counter(samples).items():
        like = alike(manifest, sample, kind.stage, whole=not kind.steps)
        taken = [taken_ns for request in like if (taken_ns := kind.clean_ns(request)) is not None]
        if not taken:
            return None
        whole_ns += round(median(taken)) * times
    return whole_ns / len(samples)


def whole_runs(runs: Runs, manifest: Manifest | None) -> dict[str, int]:
    """How many runs of each stage the requests in the trace had, recorded or not; of stages where that is known.

    Of decoding by steps a window may have been recorded; decode is here although the trace holds none of it.
    """
    known = runs.ranges.request >= 0
    if manifest is None or not known.any():
        return {}
    found = {stage: runs.count(runs.of(stage)) for stage in runs.stages()}
    own = runs.of(DECODE)
    if len(runs.of(VERIFY)):
        return {**found, **_whole_rounds(runs, manifest, found)}
    if DECODE not in manifest.stages or (len(own) and bool((runs.ranges.index[own] < 0).any())):
        return found
    if not any(request.decode_ns for request in manifest.clean) and not len(own):
        return found  # nobody knows of steps
    requests = dict(zip(runs.ranges.request[known].tolist(), runs.sample[known].tolist(), strict=True))
    steps = sum(steps_of_a_request(manifest, sample) for sample in requests.values())
    return {**found, DECODE: max(steps, found.get(DECODE, 0))}


def _whole_rounds(runs: Runs, manifest: Manifest, found: dict[str, int]) -> dict[str, int]:
    """Of rounds, which were measured as steps: so many checks, where these are numbered.

    Of drafts and maps those of the rounds that are missing: a round that was recorded and has none drafted nothing.
    """
    numbered = {stage: own for stage in (DRAFT, MAP, VERIFY) if len(own := runs.of(stage))}
    if not all(bool((runs.ranges.index[own] >= 0).all()) for own in numbered.values()):
        return {}
    if not any(request.decode_ns for request in manifest.clean):
        return {}
    own = runs.of(VERIFY)
    requests = dict(zip(runs.ranges.request[own].tolist(), runs.sample[own].tolist(), strict=True))
    rounds = sum(steps_of_a_request(manifest, sample) for sample in requests.values())
    missing = max(0, rounds - found[VERIFY])
    return {stage: max(found[stage], min(rounds, found[stage] + missing)) for stage in numbered}


def covered(runs: Runs, manifest: Manifest | None) -> list[Coverage]:
    """The stages of which runs are missing in the trace."""
    recorded = {stage: runs.count(runs.of(stage)) for stage in runs.stages()}
    return [
        Coverage(stage=stage, recorded_runs=recorded.get(stage, 0), of_runs=of_runs)
        for stage, of_runs in whole_runs(runs, manifest).items()
        if recorded.get(stage, 0) < of_runs
    ]


def _runs_of_a_request(runs: Runs, own: I64, kind: Kind, manifest: Manifest) -> int:
    """How often a request runs the stage: once, or once a step; on average over the recorded ones."""
    if not kind.steps:
        return 1
    requests = dict(zip(runs.ranges.request[own].tolist(), runs.sample[own].tolist(), strict=True))
    steps = [steps_of_a_request(manifest, sample) for sample in requests.values()]
    return max(1, round(sum(steps) / len(steps)))


def steps_of_a_request(manifest: Manifest, sample: int) -> int:
    """Decode steps of a request that was given `sample`: as many as were measured, else one less than its tokens."""
    known = 0 <= sample < len(manifest.samples)
    own = [request for request in manifest.clean if not manifest.samples or request.sample == sample]
    counted = sorted(request.first_step - 1 + len(request.decode_ns) for request in own if request.decode_ns)
    if counted:
        return counted[(len(counted) - 1) // 2]
    return max(1, (manifest.samples[sample] if known else manifest.shape).new_tokens - 1)

"""What rules may look at: parts of the summary document, and small results of measures, computed when asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from tracer.document.names import DECODE
from tracer.findings.rule import Saving

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracer.charge.overlaps import Overlaps
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.document.manifest import Latencies, Manifest
    from tracer.document.summary import (
        Abstained,
        Coverage,
        Decoding,
        DeviceTotals,
        Footprint,
        Joint,
        Kernel,
        Latency,
        Launching,
        Lost,
        RequestLatency,
        Roofline,
        Speculation,
        StageRoofline,
    )
    from tracer.measure.between_steps import BetweenSteps
    from tracer.measure.encoders import EncoderRuns
    from tracer.measure.known import KnownStage, KnownTime, KnownToken
    from tracer.measure.occupancy import FewBlocks
    from tracer.measure.unfused import Unfused
    from tracer.measure.waits import Waits
    from tracer.trace.columns import Trace


@dataclass(frozen=True)
class Evidence:
    """All that a rule may look at. No slots, so that what a measure computes is kept.

    The first three are columns, for the measures below; rules look at the rest. What is known of stages, steps and runs
    alone is here; `unknown` names the stages of which something is not, as `lost` or `untold` says. `frames` reads the
    trace once more for its Python frames, so only a rule that has something to say calls for it; None where there are
    none. `launches` does likewise for how kernels were launched, which `few_blocks` asks for.
    """

    trace: Trace
    ranges: StageRanges
    work: Work
    overlaps: Overlaps
    device: DeviceTotals
    stages: list[KnownStage]
    tokens: list[KnownToken]
    times: dict[str, KnownTime]
    latency: Latency | None
    decoding: Decoding | None
    roofline: Roofline | None
    coverage: list[Coverage]
    requests: list[RequestLatency]
    unknown: frozenset[str] = frozenset()
    lost: Lost | None = None
    untold: Abstained | None = None
    frames: Callable[[], Trace] | None = None
    launches: Callable[[], Trace] | None = None
    launching: Launching | None = None
    speculation: Speculation | None = None
    joint: Joint | None = None
    footprint: Footprint | None = None

    @property
    def on_gpu(self) -> bool:
        """Whether there is device work; else operators stand for it."""
        return self.work.on_device

    @property
    def kind(self) -> str:
        """What time is counted: "device" or "operator"."""
        return self.work.noun

    @property
    def manifest(self) -> Manifest | None:
        """What the recording says about itself, if it is one of ours."""
        return self.trace.manifest

    @cached_property
    def maker(self) -> str:
        """Whose device it is, by which advice is worded."""
        from tracer.trace.maker import maker_of

        return maker_of(self.trace)

    @cached_property
    def few_blocks(self) -> FewBlocks | None:
        """Kernels of decoding that fill but a part of the device."""
        from tracer.measure.occupancy import few_blocks

        return few_blocks(self.trace, self.ranges, self.work, self.launches)

    @property
    def like_the_first(self) -> list[Latencies]:
        """The first request without a profiler, and all later ones that are like it."""
        clean = [] if self.manifest is None else self.manifest.clean
        if self.manifest is None or not clean:
            return []
        from tracer.measure.alike import same_shape

        return same_shape(self.manifest, clean[0].sample)

    @property
    def of_steps(self) -> str:
        """Of how many decode steps a rule speaks that looks at those of which all is known; "" where it is of each."""
        if self.lost is None or DECODE not in self.unknown:
            return ""
        return f" ({len(self.tokens):,} of {self.lost.of_steps:,} decode steps; of the others not all was recorded)"

    @property
    def whole_ns(self) -> float | None:
        """A request where the recording says what one takes, the same that its latencies say; else all stages together.

        Those are of one request where the recording says how often it runs each, else of the trace; None where it is
        not known of all of them.
        """
        latency, times = self.latency, self.times.values()
        if latency is not None and not latency.samples and times and all(time.clean for time in times):
            return latency.request_ns
        return None if self.unknown else sum(time.total_ns for time in times)

    def less_busy_ns(self, stage: str, share: float) -> float:
        """What all runs of a stage save if the device is busy for this share less: nothing where it mostly waits.

        `tracer whatif` has the same model. What the profiler made busy for longer than a run takes without it shrinks
        in proportion.
        """
        time = self.times[stage]
        return 0.0 if time.busy_ns < time.step_ns / 2 else share * min(time.busy_ns, time.step_ns) * time.runs

    def saves(self, time_ns: float, basis: str, *, at_most: bool = True) -> Saving | None:
        """A gain that is taken from all stages together, and no more than these; None of nothing, or if unknown."""
        if self.whole_ns is None:
            return None
        whole_ns = round(self.whole_ns)
        saved_ns = min(round(time_ns), whole_ns)
        if saved_ns <= 0:
            return None
        of = "the trace"
        if self.manifest is not None:
            of = "a request like the recorded" if self.manifest.samples else "a request"
            if self.latency is not None and not all(time.clean for time in self.times.values()):
                of += ", partly under the profiler"
        return Saving(saved_ns, of_ns=whole_ns, of=of, basis=basis, at_most=at_most)

    def stage(self, name: str) -> KnownStage | None:
        """The stage of that name, if it occurs."""
        return next((stage for stage in self.stages if stage.stage == name), None)

    def longest_limited_by(self, limit: str) -> StageRoofline | None:
        """Of the stages that this limits, the one that takes the longest."""
        rows = self.roofline.stages if self.roofline else []
        rows = [row for row in rows if row.limited_by == limit and row.stage in self.times]
        return max(rows, key=lambda row: self.times[row.stage].total_ns, default=None)

    @cached_property
    def encoders(self) -> EncoderRuns:
        """The marked runs of the vision encoder."""
        from tracer.measure.encoders import encoder_runs

        return encoder_runs(self.ranges, self.work)

    @cached_property
    def waits(self) -> Waits:
        """The synchronising calls of decode steps."""
        from tracer.measure.waits import waits_of_decode

        return waits_of_decode(self.trace, self.ranges, self.work)

    @cached_property
    def between_steps(self) -> BetweenSteps | None:
        """Idle time between a serving engine's steps."""
        from tracer.measure.between_steps import between_steps

        return between_steps(self.trace, self.ranges, self.work)

    @cached_property
    def unfused(self) -> dict[str, Unfused]:
        """PyTorch's own small kernels, by stage."""
        from tracer.measure.unfused import unfused_kernels

        return {stage.stage: unfused_kernels(stage.kernels) for stage in self.stages}

    @property
    def kernels(self) -> dict[str, tuple[list[Kernel], int]]:
        """Device ops by name, and the time of all of them, by stage; of a trace without stages of all, as ""."""
        return {stage.stage: (stage.kernels, stage.device_time_ns) for stage in self.stages} or {
            "": (self.device.kernels, self.device.time_ns)
        }

    @cached_property
    def beyond_noise(self) -> frozenset[str]:
        """The stages that the profiler slowed by more than requests differ without it."""
        from tracer.measure.distortion import beyond_noise

        stages = self.latency.distortion if self.latency is not None else ()
        return frozenset(one for one in stages if self.manifest is not None and beyond_noise(self.manifest, one))

    def lines_that_wait(self) -> list[tuple[str, str]]:
        """For each of `waits`, the line of Python behind it and that in words; "" where no frame tells.

        Of a large file that is looked for at some of the waits, if they are enough.
        """
        from tracer.measure.python_lines import places_of, sampled_calls

        calls, sampled = self.waits.calls, self.trace.sampled
        told = sampled_calls(self.trace, calls)
        if sampled is None or told is None:
            return places_of(self.trace, calls, self.frames()) if self.frames is not None else []
        places = iter(places_of(self.trace, calls[told], replace(self.trace, frames=sampled.frames)))
        return [next(places) if one else ("", "") for one in told.tolist()]


def median(values: Sequence[int]) -> float:
    """The median of plain numbers, of which there is at least one."""
    from tracer.arrays import int64
    from tracer.statistics.robust import median as of_column

    return float(of_column(int64(values)))

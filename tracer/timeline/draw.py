"""A trace and its summary become a timeline."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct
from tracer.charge.stages.called import named_stages
from tracer.document.timeline import Timeline
from tracer.kernels.categories import categorise
from tracer.measure.runs import runs_of
from tracer.timeline.device import idle_tracks, stage_track, stream_tracks
from tracer.timeline.host import call_tracks, operator_tracks, range_tracks
from tracer.timeline.kernels import kernel_table, launch_of
from tracer.timeline.memory import memory_curves
from tracer.timeline.names import chosen
from tracer.timeline.places import place_of
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer.charge.work import Work
    from tracer.document.summary import Summary
    from tracer.measure.runs import Runs
    from tracer.summarize import Charged
    from tracer.timeline.drawn import Drawn
    from tracer.trace.columns import Trace

# To be read beside what a summary takes.
NEEDS = Want.LAUNCHED
# Rows of streams and threads; of more, those with the most on them are drawn.
MOST_TRACKS = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Most:
    """How much is drawn one by one: a page holds all of a trace of 100,000 device ops, and bounds those beyond."""

    ops: int = 130_000
    calls: int = 130_000
    gaps: int = 130_000
    ranges: int = 30_000
    stages: int = 20_000

    def shared_by(self, files: int) -> Most:
        """What each of so many files gets on one page."""
        return Most(
            ops=self.ops // files,
            calls=self.calls // files,
            gaps=self.gaps // files,
            ranges=self.ranges // files,
            stages=self.stages // files,
        )


def timeline_of(charged: Charged, summary: Summary, most: Most) -> Timeline:
    """Draw a trace.

    Args:
        charged: the trace; with `launched`, if kernels are to say how they were launched.
        summary: of it.
        most: to be drawn.
    """
    trace, ranges, work = charged.trace, charged.ranges, charged.work
    runs = runs_of(ranges, work, trace.manifest)
    tracks, left_out = _kept(_tracks(trace, work, runs, most, _idle_known(summary)))
    origin_ns = min((int(one.start_ns.min()) for one in tracks if len(one.start_ns)), default=0)
    last_ns = max((int(one.end_ns.max()) for one in tracks if len(one.end_ns)), default=origin_ns)
    names, numbers, place_of_name = chosen(
        trace.strings, [(int64(one.name), one.end_ns - one.start_ns) for one in tracks]
    )
    kernels, others, others_ns = kernel_table(trace, ranges, work, origin_ns)
    shapes = trace.launched.shapes if trace.launched is not None else []
    return Timeline(
        origin_ns=origin_ns,
        length_ns=last_ns - origin_ns,
        names=names,
        categories=_categories(trace, work, numbers),
        stages=named_stages(ranges)[0],
        shapes=[launch_of(shape) for shape in shapes],
        tracks=[one.track(origin_ns, place_of_name) for one in tracks],
        left_out=left_out,
        places=[place_of(finding, runs, work, origin_ns) for finding in summary.findings],
        kernels=kernels,
        kernels_left_out=(others, others_ns),
        memory=memory_curves(trace, ranges, origin_ns),
    )


def _categories(trace: Trace, work: Work, numbers: list[int]) -> list[str]:
    """The category of each of these names of the trace, as far as work has them."""
    worked = set(distinct(work.name))
    return [categorise(trace.strings[number]) if number in worked else "" for number in numbers]


def _idle_known(summary: Summary) -> set[int]:
    """The devices of which all that was launched was recorded, so that it is known when they idled."""
    return {device.id for device in summary.device.each if device.idle_ns is not None}


def _tracks(trace: Trace, work: Work, runs: Runs, most: Most, idle_known: set[int]) -> list[Drawn]:
    """Stages, then each device's idle time and streams, then each thread's ranges and calls."""
    calls, number = call_tracks(trace, most.calls)
    stages, item = stage_track(runs, named_stages(runs.ranges)[1], most.stages)
    run = np.append(item, -1)[work.stage]
    found = [stages] if len(runs) else []
    streams = _grouped(stream_tracks(trace, work, run, number, most.ops) if work.on_device else (), "device")
    idle = _grouped(idle_tracks(work, run, idle_known, most.gaps), "device")
    for device in distinct(work.device):
        found += [*idle.get(device, []), *streams.get(device, [])]
    spans = list(
        chain(range_tracks(trace, most.ranges), [] if work.on_device else operator_tracks(trace, run, most.ops))
    )
    threads = _grouped([*spans, *calls], "thread").values()
    for own_tracks in sorted(threads, key=lambda tracks: -sum(track.of for track in tracks)):  # the one with the most
        found += own_tracks
    return found


def _grouped(tracks: Iterable[Drawn], by: str) -> dict[int, list[Drawn]]:
    """Tracks by whose they are, in their order."""
    found: dict[int, list[Drawn]] = {}
    for track in tracks:
        found.setdefault(getattr(track, by), []).append(track)
    return found


def _kept(tracks: list[Drawn]) -> tuple[list[Drawn], int]:
    """The tracks that are drawn, and how many are not."""
    if len(tracks) <= MOST_TRACKS:
        return tracks, 0
    order = np.argsort([-track.of for track in tracks], kind="stable")[:MOST_TRACKS]
    kept = set(int64(order).tolist())
    return [track for place, track in enumerate(tracks) if place in kept], len(tracks) - MOST_TRACKS

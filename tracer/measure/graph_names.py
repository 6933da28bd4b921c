"""Where kernels in replayed graphs were launched: another trace that tells it, and what to say where none does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracer.charge.captured import graphs_in
from tracer.charge.stages.ranges import StageRanges
from tracer.charge.work import work_of
from tracer.document.summary import IN_GRAPHS, Abstained
from tracer.document.words import counted
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracer.charge.work import Work
    from tracer.document.summary import Breakdown
    from tracer.trace.columns import Trace

# What a trace of the capture must have been read for, and the trace that replays it.
NEEDS = Want.SUMMARY | Want.CPU_OPS | Want.MODULES
OF_REPLAYS = Want.LAUNCHED
WORDS = {"op": "operators", "module": "modules", "layer": "layers"}
RECORD = (
    "record the moment of the capture too, and the warm-up before it, with stacks, and give that trace as "
    "--capture FILE; tracer record --decode graph does so by itself"
)


def with_capture(trace: Trace, work: Work, capture: Trace) -> Trace:
    """The trace, knowing what another says of the graphs that it replays.

    Raises:
        InputError: times of the other are too wild to be added up.
    """
    return replace(trace, graphs=graphs_in(capture, work_of(capture, StageRanges.none()), trace, work))


def unnamed(trace: Trace, breakdown: Breakdown | None, capture: Path | None) -> Iterator[Abstained]:
    """What to say of kernels in graphs that are not named.

    Args:
        trace: as read.
        breakdown: of it, if one was asked for.
        capture: the trace that was to tell, if one was given.
    """
    if breakdown is None or breakdown.graph_ops_named >= breakdown.graph_ops:
        return
    without = breakdown.graph_ops - breakdown.graph_ops_named
    yield Abstained(
        what=f"{WORDS[breakdown.by]} of {counted(without, 'op')} {IN_GRAPHS}",
        reason=_reason(trace, capture),
        next_step=_next_step(trace, capture),
    )


def _reason(trace: Trace, capture: Path | None) -> str:
    manifest = trace.manifest
    if capture is not None:
        return (
            f"{capture} has no place where the same kernels were launched in the same order, and of its launches "
            "inside a capture, which have no names, none that fit by the nodes' ids"
        )
    if manifest is not None and manifest.graphs:
        return (
            "their kernels are not those, in that order, which the recording launched one by one to name them, or they "
            "are copies that it does not tell apart"
        )
    if manifest is not None and manifest.graphs_unnamed:
        return manifest.graphs_unnamed
    return "they were launched when the graph was captured, and this file has nothing of that"


def _next_step(trace: Trace, capture: Path | None) -> str:
    manifest = trace.manifest
    if capture is not None:
        return "give a trace of the same version, shapes and device, with the warm-up before the capture in it"
    if manifest is not None and manifest.graphs_unnamed:
        return (
            "tracer record --decode graph replays the model's own kernels; by op, those that a compiler made say it by "
            "their names"
        )
    if manifest is not None and manifest.graphs:
        return "tracer record --decode static launches the same step kernel by kernel"
    return RECORD

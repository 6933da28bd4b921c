"""The roofline of a trace, by whichever account of its work there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.charge.intervals import distinct
from tracer.charge.work import NO_DEVICE
from tracer.measure.roofline import analytic, recorded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.charge.work import Work
    from tracer.choices import Choices
    from tracer.document.summary import Roofline, Token
    from tracer.measure.known import KnownStage, KnownTime
    from tracer.measure.runs import Runs
    from tracer.trace.columns import Trace


def draw_roofline(
    trace: Trace,
    runs: Runs,
    stages: Sequence[KnownStage],
    tokens: Sequence[Token],
    times: Mapping[str, KnownTime],
    choices: Choices,
) -> Roofline | None:
    """By the operators' shapes if a person wants that, else by the recording's own account; None without either.

    Args:
        trace: with what `recorded.NEEDS` says, if shapes are asked for.
        runs, stages, tokens: of the trace.
        times: what one run of each stage takes.
        choices: what a person chose.
    """
    device = device_of(trace, runs.work)
    bandwidth = max((one.memory_bandwidth or 0 for one in trace.devices), default=0)
    peaks = {"tflops": choices.peak_tflops, "gbs": choices.peak_gbs, "traced_gbs": bandwidth / 1e9 or None}
    if choices.shapes:
        return recorded.draw(trace, runs.ranges, runs.work, stages, times, device=device, **peaks)
    if trace.manifest is None:
        return None
    return analytic.draw(trace.manifest, stages, tokens, times, device=device, **peaks)


def device_of(trace: Trace, work: Work) -> str:
    """The name of the devices that worked; "" where they are of different kinds, which have no peak in common."""
    worked = set(distinct(work.device)) - {NO_DEVICE}
    names = {device.name for device in trace.devices if device.id in worked}
    if len(names) > 1:
        return ""
    if trace.manifest is not None:
        return str(trace.manifest.device.get("name", ""))
    return names.pop() if names else ""

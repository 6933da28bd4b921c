"""Where the figures come from: the file, its devices, whose stages, what was chosen, what was read around."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from tracer.charge.intervals import distinct
from tracer.document.summary import PASSES, TOKENS, DeviceRef, TraceInfo
from tracer.trace.columns import Device
from tracer.trace.origin import Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.charge.stages.ranges import StageRanges
    from tracer.choices import Choices
    from tracer.document.summary import Window
    from tracer.trace.columns import Trace


def trace_info(
    trace: Trace, ranges: StageRanges, choices: Choices, window: Window, warnings: Sequence[str | None]
) -> TraceInfo:
    """Say it.

    Args:
        trace: that was summarised.
        ranges: its stages.
        choices: what a person chose.
        window: of its work.
        warnings: beside those of the reader; None is none.
    """
    described = {device.id: device for device in trace.devices}
    used = distinct(trace.ops.device) if len(trace.ops) else sorted(described)
    origin = trace.origin or Origin()
    recorded = trace.manifest.warnings if trace.manifest is not None else []
    return TraceInfo(
        path=trace.path.encode("utf-8", "backslashreplace").decode(),  # names of files may be no text
        format=trace.format,
        producer=trace.producer,
        events=trace.events,
        devices=[DeviceRef(**asdict(described.get(device, Device(device, "")))) for device in used],
        markers=ranges.markers,
        warnings=[*trace.warnings, *recorded, *(warning for warning in warnings if warning is not None)],
        choices=replace(choices, any_thread=choices.any_thread and len(ranges) > 0).in_words(),
        steps=TOKENS if ranges.tokens else PASSES,
        confidence=None if ranges.confidence is None else round(ranges.confidence, 2),
        versions=origin.versions,
        host=origin.host,
        began_ns=origin.wall_ns(window.start_ns) if window.end_ns else None,
    )

"""By device and stream; on a CPU by thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.arrays import int64
from tracer.measure.ways import Keys, Way, numbered
from tracer.trace.columns import stream_name

if TYPE_CHECKING:
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace


def _keys(trace: Trace, work: Work) -> Keys:
    if not work.on_device:
        return numbered([f"thread {thread}" for _, thread in trace.threads], work.track)
    pairs = list(zip(work.device.tolist(), work.track.tolist(), strict=True))
    unique = sorted(set(pairs))
    number_of = {pair: number for number, pair in enumerate(unique)}
    names = [f"device {device}, {stream_name(stream)}" for device, stream in unique]
    return Keys(names, int64([number_of[pair] for pair in pairs]))


WAY = Way(keys=_keys, meaning="stream: of the device.")

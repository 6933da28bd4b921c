"""Which energy counter a device has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tracer.recording.energy import amd, nvml
from tracer.recording.energy.meter import NoMeter

if TYPE_CHECKING:
    from tracer.recording.energy.meter import Meter


def find_meter(device: torch.device) -> Meter | NoMeter:
    """The counter of a device; where there is none, why."""
    if device.type != "cuda":
        return NoMeter("the model is on the CPU, whose energy is not measured", "record on a GPU")
    return amd.open_meter(device) if torch.version.hip else nvml.open_meter(device)

"""AMD's counter: amdsmi_get_energy_count, in units of its own resolution (about 15.3 microjoules)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch

from tracer.document.recorded_energy import DeviceState
from tracer.recording.energy.meter import MeterError, NoMeter

if TYPE_CHECKING:
    from collections.abc import Callable


def open_meter(device: torch.device) -> AmdMeter | NoMeter:
    """The counter of a device by amdsmi; where there is none, why."""
    try:
        import amdsmi
    except (ImportError, OSError, KeyError):  # it looks for its library when it is imported
        return NoMeter("there is no amdsmi for Python", "install the one of this ROCm (/opt/rocm/share/amd_smi)")
    try:
        amdsmi.amdsmi_init()
        meter = AmdMeter(amdsmi, _handle(amdsmi, device))
        meter.total_uj()
    except (amdsmi.AmdSmiException, MeterError) as error:
        return NoMeter(f"the device has no energy counter ({error})", "see whether amd-smi metric --energy works here")
    return meter


def _handle(amdsmi: Any, device: torch.device) -> Any:
    """The processor at the same place of the PCI bus."""
    properties: Any = torch.cuda.get_device_properties(device)
    place = f"{properties.pci_domain_id:04x}:{properties.pci_bus_id:02x}:{properties.pci_device_id:02x}"
    for handle in amdsmi.amdsmi_get_processor_handles():
        if str(amdsmi.amdsmi_get_gpu_device_bdf(handle)).lower().startswith(place):
            return handle
    raise MeterError(f"amdsmi knows no device at {place}")


class AmdMeter:
    """A device's counter; see `Meter`."""

    source = "amdsmi"

    def __init__(self, amdsmi: Any, handle: Any) -> None:
        self._smi, self._handle = amdsmi, handle
        self.warnings: list[str] = []

    def total_uj(self) -> int:
        """Microjoules since the driver was loaded."""
        try:
            found = self._smi.amdsmi_get_energy_count(self._handle)
            count = found["energy_accumulator"] if "energy_accumulator" in found else found["power"]
            return int(count * found["counter_resolution"])
        except (self._smi.AmdSmiException, KeyError, TypeError) as error:
            raise MeterError(str(error)) from None

    def state(self, during: str, request: int) -> DeviceState:
        """Clocks and heat now; amdsmi does not say in one word why clocks are not higher."""
        smi, handle = self._smi, self._handle
        return DeviceState(
            during=during,
            request=request,
            power_mw=self._asked(lambda: 1000 * smi.amdsmi_get_power_info(handle)["current_socket_power"]),
            sm_mhz=self._asked(lambda: smi.amdsmi_get_clock_info(handle, smi.AmdSmiClkType.GFX)["clk"]),
            memory_mhz=self._asked(lambda: smi.amdsmi_get_clock_info(handle, smi.AmdSmiClkType.MEM)["clk"]),
            celsius=self._asked(
                lambda: smi.amdsmi_get_temp_metric(
                    handle, smi.AmdSmiTemperatureType.HOTSPOT, smi.AmdSmiTemperatureMetric.CURRENT
                )
            ),
        )

    def _asked(self, question: Callable[[], int]) -> int | None:
        try:
            return max(0, int(question()))
        except (self._smi.AmdSmiException, KeyError, TypeError, ValueError, AttributeError):  # some say "N/A"
            return None

    def close(self) -> None:
        """End its session."""
        with suppress(self._smi.AmdSmiException):
            self._smi.amdsmi_shut_down()

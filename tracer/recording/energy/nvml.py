"""NVIDIA's counter: nvmlDeviceGetTotalEnergyConsumption, in millijoules since the driver was loaded (Volta and newer).

On an H100 it changes ten times a second, and reading it takes about four milliseconds.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch

from tracer.document.recorded_energy import DeviceState
from tracer.recording.energy.meter import MeterError, NoMeter

if TYPE_CHECKING:
    from collections.abc import Callable

INSTALL = 'install it: pip install "vlm-tracer[energy]" (nvidia-ml-py)'
SHARED = "other processes use the device as well: their energy is in these figures"
UNTOLD = (
    "several processes use the device, and which of them is this one cannot be told (a container's process ids are not "
    "the driver's): what others used is in these figures"
)
# Bits of nvmlDeviceGetCurrentClocksEventReasons; idleness (1) and clocks that were asked for (2) are none.
REASONS = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "heat",
    0x40: "heat (hardware)",
    0x80: "power brake",
    0x100: "display clocks",
}


def open_meter(device: torch.device) -> NvmlMeter | NoMeter:
    """NVML's counter of a device; where there is none, why."""
    try:
        import pynvml
    except ImportError:
        return NoMeter("there is no NVML for Python (nvidia-ml-py)", INSTALL)
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return NoMeter(f"NVML cannot be used ({error})", "see whether nvidia-smi works here")
    try:
        handle = _handle(pynvml, device)
        if _is_slice(pynvml, handle):
            return NoMeter("the device is a slice of a GPU (MIG), and the counter is of all of it", "use a whole GPU")
        meter = NvmlMeter(pynvml, handle)
        meter.total_uj()
    except (pynvml.NVMLError, MeterError) as error:
        return NoMeter(f"the device has no energy counter ({error})", "NVIDIA's have one from Volta on")
    return meter


def _handle(pynvml: Any, device: torch.device) -> Any:
    """NVML counts devices otherwise than CUDA; the UUID tells which is meant."""
    uuid = str(torch.cuda.get_device_properties(device).uuid)
    return pynvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}")


def _is_slice(pynvml: Any, handle: Any) -> bool:
    try:
        return bool(pynvml.nvmlDeviceGetMigMode(handle)[0])
    except pynvml.NVMLError:  # devices that cannot be sliced say so by an error
        return False


class NvmlMeter:
    """A device's counter; see `Meter`."""

    source = "NVML"

    def __init__(self, pynvml: Any, handle: Any) -> None:
        self._nvml, self._handle = pynvml, handle
        self.warnings: list[str] = []
        with suppress(pynvml.NVMLError):
            users = {process.pid for process in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)}
            if len(users) > 1:
                self.warnings.append(SHARED if os.getpid() in users else UNTOLD)

    def total_uj(self) -> int:
        """Microjoules since the driver was loaded."""
        try:
            return 1000 * int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))
        except self._nvml.NVMLError as error:
            raise MeterError(str(error)) from None

    def state(self, during: str, request: int) -> DeviceState:
        """Clocks and heat now."""
        nvml, handle = self._nvml, self._handle
        mask = self._asked(lambda: _reasons(nvml, handle))
        return DeviceState(
            during=during,
            request=request,
            power_mw=self._asked(lambda: nvml.nvmlDeviceGetPowerUsage(handle)),
            sm_mhz=self._asked(lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)),
            memory_mhz=self._asked(lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)),
            celsius=self._asked(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
            limited_by=[name for bit, name in REASONS.items() if (mask or 0) & bit],
        )

    def _asked(self, question: Callable[[], int]) -> int | None:
        try:
            return max(0, int(question()))
        except self._nvml.NVMLError:
            return None

    def close(self) -> None:
        """End NVML's session."""
        with suppress(self._nvml.NVMLError):
            self._nvml.nvmlShutdown()


def _reasons(pynvml: Any, handle: Any) -> int:
    """Why clocks are not higher, by the name that this call had, or has since NVML 12.2."""
    ask = getattr(pynvml, "nvmlDeviceGetCurrentClocksEventReasons", None)
    return int((ask or pynvml.nvmlDeviceGetCurrentClocksThrottleReasons)(handle))

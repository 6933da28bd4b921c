"""Which counter a device has, and what is said where it has none."""

from __future__ import annotations

import os
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from tracer.recording.energy import amd, nvml
from tracer.recording.energy.find import find_meter
from tracer.recording.energy.meter import MeterError, NoMeter

GPU = torch.device("cuda", 0)


class _NvmlError(Exception):
    pass


def _nvml(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> ModuleType:
    """A module like pynvml, of one device."""

    def unsupported(*_: Any) -> int:
        raise _NvmlError("Not Supported")

    module = ModuleType("pynvml")
    known: dict[str, Any] = {
        "NVMLError": _NvmlError, "NVML_CLOCK_SM": 1, "NVML_CLOCK_MEM": 2, "NVML_TEMPERATURE_GPU": 0,
        "nvmlInit": lambda: None, "nvmlShutdown": lambda: None, "nvmlDeviceGetHandleByUUID": lambda uuid: uuid,
        "nvmlDeviceGetMigMode": unsupported, "nvmlDeviceGetComputeRunningProcesses": lambda _: [],
        "nvmlDeviceGetTotalEnergyConsumption": lambda _: 12_345, "nvmlDeviceGetPowerUsage": lambda _: 250_000,
        "nvmlDeviceGetClockInfo": lambda _, kind: 1000 * kind, "nvmlDeviceGetTemperature": lambda *_: 61,
        "nvmlDeviceGetCurrentClocksThrottleReasons": lambda _: 0x1 | 0x4 | 0x20,
    }  # fmt: skip
    for name, value in (known | changes).items():
        setattr(module, name, unsupported if value is None else value)
    monkeypatch.setitem(sys.modules, "pynvml", module)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(uuid="abc"))
    return module


def test_nvml_is_asked_for_the_device_that_cuda_means_and_tells_all_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    _nvml(monkeypatch, nvmlDeviceGetHandleByUUID=lambda uuid: asked.append(uuid) or "handle")
    meter = nvml.open_meter(GPU)
    assert not isinstance(meter, NoMeter)
    assert asked == ["GPU-abc"]
    assert (meter.total_uj(), meter.warnings) == (12_345_000, [])
    state = meter.state("clean", 3)
    assert (state.during, state.request, state.power_mw, state.sm_mhz, state.memory_mhz, state.celsius) == (
        "clean", 3, 250_000, 1000, 2000, 61,
    )  # fmt: skip
    assert state.limited_by == ["power cap", "heat"]
    meter.close()


def test_what_nvml_does_not_tell_of_a_device_is_none_and_the_newer_name_of_a_call_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _nvml(
        monkeypatch, nvmlDeviceGetPowerUsage=None, nvmlDeviceGetTemperature=None,
        nvmlDeviceGetCurrentClocksEventReasons=lambda _: 0x80,
    )  # fmt: skip
    meter = nvml.open_meter(GPU)
    assert not isinstance(meter, NoMeter)
    state = meter.state("clean", 0)
    assert (state.power_mw, state.celsius, state.limited_by) == (None, None, ["power brake"])


@pytest.mark.parametrize(
    ("processes", "said"),
    [
        (["own", 1], [nvml.SHARED]),
        (["own"], []),
        (["own", "own"], []),  # its contexts, one by one
        ([1, 2], [nvml.UNTOLD]),
        ([1], []),  # by an id of another namespace
        ([], []),
        (None, []),
    ],
)
def test_others_on_the_device_are_claimed_only_where_this_process_is_known_among_them(
    monkeypatch: pytest.MonkeyPatch, processes: list[Any] | None, said: list[str]
) -> None:
    own = os.getpid()
    listed = [SimpleNamespace(pid=own if one == "own" else own + one) for one in processes or []]
    _nvml(monkeypatch, nvmlDeviceGetComputeRunningProcesses=None if processes is None else lambda _: listed)
    meter = nvml.open_meter(GPU)
    assert not isinstance(meter, NoMeter)
    assert meter.warnings == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nvmlInit": None}, "NVML cannot be used (Not Supported)"),
        ({"nvmlDeviceGetTotalEnergyConsumption": None}, "the device has no energy counter (Not Supported)"),
        ({"nvmlDeviceGetHandleByUUID": None}, "the device has no energy counter (Not Supported)"),
        ({"nvmlDeviceGetMigMode": lambda _: (1, 1)}, "a slice of a GPU (MIG)"),
    ],
)
def test_without_a_counter_one_line_says_why(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str
) -> None:
    _nvml(monkeypatch, **changes)
    found = nvml.open_meter(GPU)
    assert isinstance(found, NoMeter)
    assert said in found.reason
    assert found.next_step


def test_a_counter_that_fails_later_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    module = _nvml(monkeypatch)
    meter = nvml.open_meter(GPU)
    assert not isinstance(meter, NoMeter)

    def lost(_: Any) -> int:
        raise _NvmlError("GPU is lost")

    module.nvmlDeviceGetTotalEnergyConsumption = lost  # type: ignore[attr-defined]
    with pytest.raises(MeterError, match="GPU is lost"):
        meter.total_uj()


def test_without_the_libraries_or_on_a_cpu_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setitem(sys.modules, "amdsmi", None)
    for found in (nvml.open_meter(GPU), amd.open_meter(GPU), find_meter(torch.device("cpu"))):
        assert isinstance(found, NoMeter)
        assert found.reason
        assert found.next_step
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert find_meter(GPU) == amd.open_meter(GPU)
    monkeypatch.setattr(torch.version, "hip", None)
    assert find_meter(GPU) == nvml.open_meter(GPU)


class _AmdError(Exception):
    pass


@pytest.mark.parametrize("key", ["energy_accumulator", "power"])
def test_amds_counter_counts_in_units_of_its_own(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """Releases differ in what the count is called."""
    module = ModuleType("amdsmi")
    known: dict[str, Any] = {
        "AmdSmiException": _AmdError, "amdsmi_init": lambda: None, "amdsmi_shut_down": lambda: None,
        "amdsmi_get_processor_handles": lambda: ["one", "other"],
        "amdsmi_get_gpu_device_bdf": {"one": "0000:01:00.0", "other": "0000:C1:00.0"}.get,
        "amdsmi_get_energy_count": lambda _: {key: 1000, "counter_resolution": 15.3},
        "amdsmi_get_power_info": lambda _: {"current_socket_power": 300},
        "amdsmi_get_clock_info": lambda *_: {"clk": "N/A"},
        "AmdSmiClkType": SimpleNamespace(GFX=0, MEM=1), "AmdSmiTemperatureType": SimpleNamespace(HOTSPOT=1),
        "AmdSmiTemperatureMetric": SimpleNamespace(CURRENT=0), "amdsmi_get_temp_metric": lambda *_: 55,
    }  # fmt: skip
    for name, value in known.items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "amdsmi", module)
    place = SimpleNamespace(pci_domain_id=0, pci_bus_id=0xC1, pci_device_id=0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: place)
    meter = amd.open_meter(GPU)
    assert not isinstance(meter, NoMeter)
    assert meter.total_uj() == 15_300
    state = meter.state("clean", 0)
    assert (state.power_mw, state.sm_mhz, state.celsius, state.limited_by) == (300_000, None, 55, [])
    meter.close()
    place.pci_bus_id = 0xFF
    assert isinstance(amd.open_meter(GPU), NoMeter)

"""Devices and producers of other kinds than the cases have, each with a twin of which nothing is claimed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET
from support.chrome import Event, call, kernel, launch, operator, span, trace_of

from tracer.document.summary import UNJOINED, UNREAD, Summary
from tracer.summarize import summarize, summarize_file

MI300, MI210 = "AMD Instinct MI300X", "AMD Instinct MI210"


def _steps(runtime: str, launches: str, waits: str, *, device: int = 0, kept: int = 4) -> list[Event]:
    """Four steps of a kernel of 300 us and a wait for it; the kernels of the last `kept` are there."""
    events = []
    for number in range(4):
        at, correlation = 1000 * number, number + 1
        asked = [call(launches, at + 10, 5, correlation), call(waits, at + 60, 400, 900 + number)]
        events += [span("step[DECODE bs=1]", at, 900), *[one | {"cat": runtime} for one in asked]]
        events += [kernel("mm", at + 50, 300, correlation, device=device)] if number >= 4 - kept else []
    return events


def _told(events: list[Event], **metadata: Any) -> Summary:
    return summarize(trace_of(*events, **metadata))


@pytest.mark.parametrize(
    ("runtime", "launches", "waits"),
    [
        ("privateuse1_runtime", "orLaunchKernel", "orStreamSynchronize"),
        ("privateuse1_runtime", "launchKernel", "synchronizeStream"),
        ("privateuse1_driver", "musaLaunchKernel", "musaDeviceSynchronize"),
        ("xpu_driver", "zeCommandListAppendLaunchKernel", "zeEventHostSynchronize"),
        ("mlu_runtime", "cnInvokeKernel", "cnrtQueueSync"),
        ("mlu_runtime", "cnTaskTopoEntityInvoke", "cnQueueSync"),
        ("musa_runtime", "musaLaunchKernel", "musaStreamSynchronize"),
        ("musa_driver", "muLaunchKernel", "muCtxSynchronize"),
        ("gcu_runtime", "topsModuleLaunchKernel", "topsStreamSynchronize"),
    ],
)
def test_a_device_behind_privateuse1_has_launches_waits_and_idle_causes(
    runtime: str, launches: str, waits: str
) -> None:
    summary = _told(_steps(runtime, launches, waits))
    (stage,) = summary.stages
    assert (stage.ops, stage.device_time_ns, stage.counts.launches, stage.counts.waits) == (4, 1_200_000, 4, 4)
    assert (stage.idle.host_ns, stage.idle.sync_ns, stage.idle.launch_ns) == (1_650_000, 330_000, 120_000)
    assert "sync-per-token" in [one.id for one in summary.findings]


def test_what_such_a_device_did_not_record_is_lost_and_no_run_on_a_cpu() -> None:
    summary = _told(_steps("privateuse1_runtime", "orLaunchKernel", "orStreamSynchronize", kept=2))
    (stage,) = summary.stages
    assert (summary.lost.launches, stage.device_time_ns, summary.findings) == (2, None, [])  # type: ignore[union-attr]
    nothing = _told(_steps("privateuse1_runtime", "orLaunchKernel", "orStreamSynchronize", kept=0))
    assert "4 launches (orLaunchKernel) but no device ops" in nothing.trace.warnings[0]


@pytest.mark.parametrize("category", ["mlu_memcpy", "GCU_MEMCPY", "memcpy", "mlu_memset", "GCU_MEMSET", "memset"])
def test_copies_and_fills_are_work_whatever_a_build_of_kineto_calls_them(category: str) -> None:
    copies = [call("cnMemcpyDtoHAsync_V2", 10, 5, 1) | {"cat": "mlu_runtime"}, kernel("k", 50, 30, 1, cat=category)]
    summary = _told([span("step[DECODE bs=1]", 0, 900), *copies])
    assert (summary.device.ops, summary.device.time_ns, summary.lost) == (1, 30_000, UNSET)


def _devices(*described: str, used: int, runtime: str = "hip") -> list[tuple[int, str]]:
    version = {"hip_runtime_version": 70253211} if runtime == "hip" else {"cuda_runtime_version": 13000}
    properties = [{"id": number, "name": name} for number, name in enumerate(described)]
    events = _steps("cuda_runtime", f"{runtime}LaunchKernel", f"{runtime}StreamSynchronize", device=used)
    return [(one.id, one.name) for one in _told(events, deviceProperties=properties, **version).trace.devices]


def test_agents_of_devices_alike_are_named_and_of_devices_unlike_are_not() -> None:
    assert _devices(MI300, MI300, used=3) == [(3, MI300)]
    assert _devices(MI300, MI210, used=3) == [(3, "")]
    assert _devices(MI300, MI210, used=1) == [(1, MI210)]


def test_ops_of_an_hpu_among_stages_have_none_and_with_launches_have_theirs() -> None:
    ops = [kernel("gemm", 50 + 100 * number, 60, cat="hpu_op") for number in range(3)]
    alone = _told([span("step[DECODE bs=1]", 0, 900), *ops])
    assert (alone.device.time_ns, alone.stages) == (180_000, [])
    assert UNJOINED in [one.what for one in alone.abstained]
    joined = [kernel("gemm", 50 + 100 * number, 60, number + 1, cat="hpu_op") for number in range(3)]
    asked = [launch(10 + 100 * number, 5, number + 1) for number in range(3)]
    (stage,) = _told([span("step[DECODE bs=1]", 0, 900), *joined, *asked]).stages
    assert (stage.ops, stage.device_time_ns) == (3, 180_000)


def test_the_legacy_profiler_of_a_cpu_alone_is_named_and_kineto_of_a_cpu_alone_is_read(tmp_path: Path) -> None:
    legacy = tmp_path / "legacy.json"
    legacy.write_text('[{"name":"mm","ph":"X","ts":1000,"dur":40,"tid":0,"pid":"CPU functions","args":{}}]')
    (told,) = [one for one in summarize_file(legacy).abstained if one.what == UNREAD]
    assert "legacy autograd" in told.reason
    kineto = _told([operator("aten::mm", 1000, 40)])
    assert (kineto.device.ops, [one for one in kineto.abstained if one.what == UNREAD]) == (1, [])

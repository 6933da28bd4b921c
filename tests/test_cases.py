"""Small traces of faults that people met, each with the answer that was worked out beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.text import render
from tracer.document.errors import InputError
from tracer.document.summary import UNREAD, Stage, Summary
from tracer.peaks.find import find_peak
from tracer.predict.whatif import Changes, predict
from tracer.summarize import Choices, summarize_file

CASES = Path(__file__).parent / "data/cases"


def _case(name: str, **choices: object) -> Summary:
    return summarize_file(CASES / f"{name}.json", Choices(**choices))  # type: ignore[arg-type]


def _decode(summary: Summary) -> Stage:
    (stage,) = [stage for stage in summary.stages if stage.stage == "decode"]
    return stage


def _said(summary: Summary) -> str:
    return " ".join(render(summary).split())


def test_what_mtia_ran_is_device_work() -> None:
    summary = _case("mtia_ccp_events")
    assert (summary.device.kind, summary.device.ops, summary.device.time_ns) == ("gpu", 12, 720_000)
    assert (_decode(summary).ops, _decode(summary).device_time_ns) == (12, 720_000)
    assert _decode(summary).counts.launches == 12


def test_the_waits_and_copies_of_an_xpu_are_told_by_their_names() -> None:
    summary = _case("xpu_waits")
    idle, counts = _decode(summary).idle, _decode(summary).counts
    assert (idle.host_ns, idle.sync_ns, idle.launch_ns, idle.unknown_ns) == (550_000, 7_590_000, 330_000, 0)
    assert (counts.waits, counts.wait_ns) == (12, 10_560_000)
    assert (counts.to_device_bytes, counts.to_host_bytes) == (49_152, 96)
    found = [finding.id for finding in summary.findings]
    assert "sync-per-token" in found
    assert "launch-bound" not in found


def test_what_an_hpu_ran_is_device_work_without_launch_records() -> None:
    summary = _case("hpu_op")
    reasons = summary.device.unattributed.reasons
    assert (summary.device.kind, summary.device.ops, summary.device.time_ns) == ("gpu", 3, 180_000)
    assert (reasons["no_launch_record"].ops, reasons["no_launch_record"].time_ns) == (3, 180_000)
    assert [(row.ops, row.device_time_ns) for row in summary.ranges] == [(None, None)]
    assert "the stages of device ops" in [one.what for one in summary.abstained]
    assert "low-coverage" not in [finding.id for finding in summary.findings]


def test_each_of_two_ranks_joined_in_one_file_has_a_device_of_its_own() -> None:
    summary = _case("merged_two_ranks_device0")
    assert [token.device_time_ns for token in summary.tokens] == [450_000] * 10
    assert (summary.device.busy_ns, len(summary.device.each)) == (4_500_000, 2)
    assert {device.name for device in summary.trace.devices} == {"NVIDIA H100 80GB HBM3"}
    assert "same-stream-overlap" not in [finding.id for finding in summary.findings]
    assert any("device 1 is that of '[TP01] 0'" in warning for warning in summary.trace.warnings)


def test_a_pattern_that_matches_nothing_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="--marker decode=forwad matches no range; the nearest is 'forward_pass'"):
        _case("marker_typo", patterns={"decode": "forwad"})
    assert _decode(_case("marker_typo", patterns={"decode": "forward"})).ops == 1


def test_a_device_by_the_number_of_its_agent_is_the_one_described() -> None:
    summary = _case("amd_agent_number")
    (device,) = summary.trace.devices
    peak = find_peak(device.name, "bfloat16")
    assert (device.id, device.name) == (2, "AMD Instinct MI300X")
    assert (peak.tflops, peak.gbs) == (1307.4, 5300)


def test_a_path_that_nobody_escaped_hides_no_device() -> None:
    summary = _case("windows_path_in_head")
    assert [device.name for device in summary.trace.devices] == ["NVIDIA H100 80GB HBM3"]


@pytest.mark.parametrize(
    ("name", "producer"),
    [
        ("ascend_trace_view", "Ascend"),
        ("legacy_autograd", "legacy autograd"),
        ("onnxruntime", "ONNX Runtime"),
    ],
)
def test_a_producer_that_is_not_read_is_named_and_has_no_figures(name: str, producer: str) -> None:
    summary = _case(name)
    (abstained,) = [one for one in summary.abstained if one.what == UNREAD]
    assert producer in abstained.reason
    assert abstained.next_step
    assert producer in summary.trace.producer
    assert (summary.device.ops, summary.device.time_ns, summary.stages, summary.ranges) == (0, 0, [], [])
    assert summary.findings == []
    assert producer in _said(summary)
    assert "no device work" not in _said(summary)


def test_ops_without_a_usable_time_are_left_out_and_named() -> None:
    summary = _case("zero_timestamps")
    device = summary.device
    assert (device.ops, device.time_ns, device.busy_ns, device.idle_ns) == (5, 50_000, 50_000, 360_000)
    assert any(warning.startswith("2 device ops left out (k_gemm)") for warning in summary.trace.warnings)


def test_of_a_clock_that_is_off_no_idle_cause_is_claimed() -> None:
    summary = _case("kernel_before_launch")
    stage = _decode(summary)
    assert (stage.ops, stage.device_time_ns) == (40, 1_600_000)
    assert (stage.idle.host_ns, stage.idle.sync_ns, stage.idle.launch_ns) == (0, 0, 0)
    assert stage.idle.unknown_ns == stage.idle_ns > 0
    assert summary.device.unattributed.reasons["no_launch_record"].ops == 0
    assert any(warning.startswith("8 of 40 device ops begin before their launch") for warning in summary.trace.warnings)
    assert {"why the device waits", "finding launch-bound"} <= {one.what for one in summary.abstained}
    assert summary.findings == []
    with pytest.raises(InputError, match="--launch-overhead: the device's clock is off"):
        predict(summary, Changes(stages={}, launch_overhead=0.0))


def test_ops_of_a_thread_without_ranges_are_said_under_the_ranges() -> None:
    summary = _case("backward_thread_silent")
    found = summary.rangeless
    assert found is not None
    assert (found.ops, found.of_ops, found.device_time_ns, found.threads) == (17, 20, 1_530_000, 1)
    assert "17 of 20 ops (1.53 ms) were launched on a thread without ranges" in _said(summary)

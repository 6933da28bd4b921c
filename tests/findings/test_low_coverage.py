from __future__ import annotations

from pathlib import Path

import pytest
from support.chrome import OTHER, Event, frame, kernel, launch, span, write
from support.findings import GEMM, found, stage

from tracer.choices import Choices
from tracer.findings.low_coverage import FINDING
from tracer.perfetto.asked import Asked
from tracer.perfetto.slice import cut_out
from tracer.summarize import summarize_file

ID = FINDING.id


@pytest.mark.parametrize(("stray_us", "raised"), [(4, False), (5.2, False), (5.3, True), (9, True)])
def test_a_twentieth_outside_all_stages_is_the_threshold(stray_us: float, raised: bool) -> None:
    """Beside 100 us in a stage 5.2 are 4.94 % of all, 5.3 are 5.03 %."""
    prefill = stage("tracer/prefill", 0, 5, [GEMM] * 10)
    assert (found(ID, *prefill, kernel("stray", 500, stray_us)) is not None) == raised


def test_the_main_reason_is_named() -> None:
    outside = [launch(490, 1, 99), kernel("late", 600, 3, 99)]
    finding = found(ID, *stage("tracer/prefill", 0, 5, [GEMM] * 10), kernel("stray", 500, 9), *outside)
    assert finding is not None
    assert finding.message.endswith("main reason: no launch record")


def test_without_stages_nothing_is_missed() -> None:
    assert found(ID, kernel("stray", 0, 9)) is None


def _engine(tid: int = 1, **more: float) -> list[Event]:
    """A server's step, and as much work outside, behind a step that is no stage."""
    return [
        span("step[DECODE bs=1]", 0, 50), launch(1, 1, 1), kernel(GEMM, 5, 10, 1),
        span("step[DLLM_EXTEND bs=1]", 100, 50), launch(more.get("at", 101), 1, 2, tid=tid), kernel(GEMM, 105, 10, 2),
    ]  # fmt: skip


def test_nobody_is_told_to_widen_the_ranges_of_a_server() -> None:
    finding = found(ID, *_engine())
    assert finding is not None
    assert "widen" not in finding.next_step
    assert "outside the engine's labelled steps" in finding.next_step


def test_what_another_thread_launched_while_a_step_was_open_can_be_given_to_it() -> None:
    finding = found(ID, *_engine(OTHER, at=2))
    assert finding is not None
    assert finding.next_step.startswith("--any-thread")


def test_ones_own_ranges_can_be_widened() -> None:
    finding = found(ID, *stage("tracer/prefill", 0, 5, [GEMM] * 10), launch(490, 1, 99), kernel("late", 600, 30, 99))
    assert finding is not None
    assert finding.next_step.startswith("widen the ranges")


def test_what_ran_beside_a_part_of_a_trace_lacks_no_range(tmp_path: Path) -> None:
    events = [span("tracer/prefill", 0, 20), launch(1, 2, 1), kernel(GEMM, 5, 60, 1)]
    events += [span("tracer/decode#1", 21, 99), launch(22, 2, 2), kernel(GEMM, 66, 40, 2)]
    whole, part = write(tmp_path / "whole.json", *events), tmp_path / "part.json"
    cut_out(whole, part, Asked(None, None, ("decode",)), Choices(jobs=1))
    summary = summarize_file(part)
    assert summary.device.unattributed.time_ns == 60_000
    assert ID not in [finding.id for finding in summary.findings]


def test_where_frames_tell_the_stages_there_are_no_ranges_to_widen() -> None:
    utils = "transformers/generation/utils.py(12): "
    frames = [frame(f"{utils}generate", 0, 50), frame(f"{utils}prepare_inputs_for_generation", 5, 2)]
    work = [launch(10, 1, 1), kernel(GEMM, 12, 10, 1), launch(90, 1, 2), kernel(GEMM, 92, 10, 2)]
    finding = found(ID, *frames, *work)
    assert finding is not None
    assert finding.next_step.startswith("what runs outside generate")

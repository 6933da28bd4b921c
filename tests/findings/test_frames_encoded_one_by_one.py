from __future__ import annotations

from typing import Any

import pytest
from support.chrome import operator, span, trace_of
from support.findings import found, frames

from tracer.findings.frames_encoded_one_by_one import FINDING
from tracer.summarize import summarize

ID = FINDING.id


def test_frames_one_by_one_are_found_unless_the_device_is_busy_with_them() -> None:
    finding = found(ID, *frames(5, gap=40))
    assert finding is not None
    assert "5 frames one by one" in finding.message
    assert finding.gain is not None
    assert finding.gain.time_ns == pytest.approx(19 * 40_000 + 10_000 - 200_000, rel=0.01)
    assert found(ID, *frames(1, gap=40)) is None
    assert found(ID, *frames(5, gap=5)) is None


@pytest.mark.parametrize(("count", "raised"), [(1, False), (2, True)])
def test_one_run_of_the_encoder_is_one_call(count: int, raised: bool) -> None:
    assert (found(ID, *frames(count, gap=40)) is not None) == raised


@pytest.mark.parametrize(("gap", "raised"), [(20, False), (21, True)])
def test_as_much_idle_as_busy_is_the_threshold(gap: float, raised: bool) -> None:
    """Twenty kernels of 10 us with nineteen gaps between them: 190 us and 209 us idle."""
    assert (found(ID, *frames(5, gap=gap)) is not None) == raised


def test_every_vision_stage_of_a_trace_gains() -> None:
    later = [event | {"ts": event["ts"] + 5000} for event in frames(5, gap=40)]
    for event in later:
        if "correlation" in event.get("args", {}):
            event["args"] = event["args"] | {"correlation": event["args"]["correlation"] + 100}
    once, twice = found(ID, *frames(5, gap=40)), found(ID, *frames(5, gap=40), *later)
    assert once is not None and once.gain is not None
    assert twice is not None and twice.gain is not None
    assert twice.evidence["frames"] == 5
    step_ns, busy_ns = twice.evidence["step_ns"], twice.evidence["busy_ns"]
    assert twice.gain.time_ns == 2 * (step_ns - max(busy_ns, step_ns / 5))


def test_on_a_cpu_the_gaps_between_operators_are_not_a_devices() -> None:
    work = [operator("aten::mm", 40 * number, 10) for number in range(20)]
    encoders = [span("tracer/encoder", 200 * number, 200) for number in range(4)]
    assert found(ID, span("tracer/vision", 0, 800), *encoders, *work) is None


def test_of_two_models_that_encode_in_their_own_ways_nothing_is_said_of_an_average() -> None:
    def named(role: str, at: float) -> list[dict[str, Any]]:
        events = [event | {"ts": event["ts"] + at} for event in frames(5, gap=40)]
        for event in events:
            if "correlation" in event.get("args", {}):
                event["args"] = event["args"] | {"correlation": event["args"]["correlation"] + int(at)}
        return [event | {"name": event["name"].replace("tracer/vision", f"tracer/{role}vision")} for event in events]

    alone = summarize(trace_of(*named("draft/", 0)))
    assert ID in [one.id for one in alone.findings]
    both = summarize(trace_of(*named("draft/", 0), *named("target/", 5000)))
    assert ID not in [one.id for one in both.findings]
    assert [one.reason for one in both.abstained if ID in one.what] == [
        "draft and target encode their own frames in the vision stage, each in its own way"
    ]

from __future__ import annotations

from typing import Any

import pytest

from tracer.document.manifest import Latencies, Manifest, Sample, Shape, Verification
from tracer.measure.samples import UNKNOWN, sample_of

WARMED = {"wait": 0, "warmup": 1, "active": 2, "repeat": 2}


def _manifest(samples: int, requests: int, schedule: Any, *, prompt_tokens: int = 5) -> Manifest:
    given = Sample(name="s", batch_size=1, frames=1, visual_tokens=2, prompt_tokens=5, new_tokens=3)
    return Manifest(
        schema="tracer.manifest/1", version="1", model={}, software={}, device={}, dtype="bfloat16", seed=0,
        shape=Shape(batch_size=1, frames=1, visual_tokens=2, prompt_tokens=prompt_tokens, new_tokens=3),
        coupled=False, synchronised=False, clock="host", options={"schedule": schedule},
        verification=Verification(status="passed"), profiled=[], samples=[given] * samples,
        clean=[Latencies(load_ns=0, preprocess_ns=0, vision_ns=0, prefill_ns=0, decode_ns=[])] * requests,
    )  # fmt: skip


def test_samples_take_turns_and_a_request_that_warms_up_is_given_the_next_one() -> None:
    manifest = _manifest(3, 4, WARMED)
    assert [sample_of(manifest, request) for request in range(6)] == [0, 0, 1, 2, 2, 0]


def test_one_input_for_all_is_the_first_and_unknown_where_nobody_counted_its_tokens() -> None:
    assert sample_of(_manifest(0, 4, WARMED), 7) == 0
    assert sample_of(_manifest(0, 4, WARMED, prompt_tokens=0), 7) == UNKNOWN


def test_a_turn_beyond_the_listed_samples_is_unknown_if_the_clean_pass_did_not_come_round() -> None:
    assert [sample_of(_manifest(2, 2, WARMED), request) for request in (1, 2, 4)] == [0, 1, UNKNOWN]


@pytest.mark.parametrize(
    "schedule",
    [None, 5, {}, {**WARMED, "active": 0}, {**WARMED, "wait": -1}, {**WARMED, "warmup": "1"}, {**WARMED, "wait": True}],
)
def test_a_damaged_schedule_tells_nothing(schedule: Any) -> None:
    assert sample_of(_manifest(3, 4, schedule), 1) == UNKNOWN


def test_without_a_recording_or_a_request_nothing_is_known() -> None:
    assert sample_of(None, 1) == UNKNOWN
    assert sample_of(_manifest(3, 4, WARMED), -1) == UNKNOWN

from __future__ import annotations

from typing import Any

import pytest
from support.chrome import operator, span, trace_of
from support.predict import budget, recorded_run, summary_of, then

from tracer.document.errors import InputError
from tracer.predict.whatif import Changes, predict
from tracer.summarize import summarize


def test_frames_in_one_call_divide_the_hosts_time_down_to_the_busy_time() -> None:
    assert then(batch_frames=2)["vision"] == 2_500
    assert then(batch_frames=10)["vision"] == 1_000


@pytest.mark.parametrize(("asked", "calls"), [(1, 5), (2, 3), (4, 2), (5, 1), (64, 1)])
def test_as_many_calls_are_left_as_the_frames_take(asked: int, calls: int) -> None:
    slow = recorded_run(summary_of(budget("vision", 1, 100, 5_000)))
    found = predict(slow, Changes(stages={}, batch_frames=asked))
    assert found.then_ns == 1_000 * calls
    assert f"5 frames in {calls} call" in found.assumptions[0]


def test_frames_that_nobody_counted_are_assumed_and_that_is_said() -> None:
    for summary in (summary_of(), recorded_run(frames=0)):
        found = predict(summary, Changes(stages={}, batch_frames=2))
        assert "which the trace does not say" in found.assumptions[0]


@pytest.mark.parametrize(
    ("run", "message"),
    [({"batch_frames": True}, "its frames are encoded in one call already"), ({"frames": 1}, "it has one frame")],
)
def test_frames_that_are_not_encoded_one_by_one_gain_nothing_in_one_call(run: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"--batch-frames: {message}"):
        predict(recorded_run(**run), Changes(stages={}, batch_frames=5))


def test_on_a_cpu_it_is_operators_that_take_as_long_as_now() -> None:
    on_cpu = summarize(trace_of(operator("aten::mm", 0, 5), span("tracer/vision", 0, 9)))
    assert "its operators take as long" in predict(on_cpu, Changes(stages={}, batch_frames=2)).assumptions[0]
    assert "the device is busy as long" in predict(summary_of(), Changes(stages={}, batch_frames=2)).assumptions[0]

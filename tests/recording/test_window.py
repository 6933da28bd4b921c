from __future__ import annotations

from itertools import pairwise

import pytest
from torch.profiler import ProfilerAction as A

from tracer.recording.pieces import plan
from tracer.recording.window import DecodeWindow, Schedule

ALL = DecodeWindow(1, 100)


def _actions(schedule: Schedule, window: DecodeWindow, steps: int) -> list[tuple[int, int | None, A]]:
    return [(piece.request, piece.before_step, piece.action) for piece in plan(schedule, window, steps)]


def test_whole_requests_follow_torchs_own_schedule() -> None:
    from torch.profiler import schedule

    ours = Schedule(wait=1, warmup=2, active=3, repeat=2)
    theirs = schedule(wait=1, warmup=2, active=3, repeat=2)
    assert [action for _, _, action in _actions(ours, ALL, 20)] == [theirs(i) for i in range(ours.requests)]


def test_a_window_at_the_start_ends_the_capture_inside_the_request() -> None:
    found = _actions(Schedule(0, 1, 2, 1), DecodeWindow(1, 5), 9)
    assert found == [
        (0, None, A.WARMUP),
        (0, 5, A.WARMUP),
        (1, None, A.RECORD_AND_SAVE),
        (1, 5, A.WARMUP),
        (2, None, A.RECORD_AND_SAVE),
        (2, 5, A.NONE),
    ]


def test_a_window_in_the_middle_makes_two_captures() -> None:
    found = _actions(Schedule(0, 0, 1, 1), DecodeWindow(3, 5), 9)
    assert found == [
        (0, None, A.RECORD_AND_SAVE),
        (0, 1, A.WARMUP),
        (0, 3, A.RECORD_AND_SAVE),
        (0, 5, A.NONE),
    ]


def test_a_window_to_the_end_runs_into_the_next_request() -> None:
    found = _actions(Schedule(0, 0, 2, 1), DecodeWindow(3, 10), 9)
    assert [action for _, _, action in found] == [
        A.RECORD_AND_SAVE,
        A.WARMUP,
        A.RECORD,
        A.RECORD_AND_SAVE,
        A.WARMUP,
        A.RECORD_AND_SAVE,
    ]


@pytest.mark.parametrize("schedule", [Schedule(0, 0, 1, 1), Schedule(1, 1, 2, 2), Schedule(2, 0, 1, 3)])
@pytest.mark.parametrize("window", [ALL, DecodeWindow(1, 4), DecodeWindow(2, 4), DecodeWindow(9, 10)])
def test_torch_accepts_every_transition(schedule: Schedule, window: DecodeWindow) -> None:
    allowed = {
        A.NONE: {A.NONE, A.WARMUP, A.RECORD, A.RECORD_AND_SAVE},
        A.WARMUP: {A.WARMUP, A.RECORD, A.RECORD_AND_SAVE},
        A.RECORD: {A.RECORD, A.RECORD_AND_SAVE},
        A.RECORD_AND_SAVE: {A.NONE, A.WARMUP, A.RECORD, A.RECORD_AND_SAVE},
    }
    actions = [A.NONE, *(action for _, _, action in _actions(schedule, window, 9)), A.NONE]
    for before, after in pairwise(actions):
        assert after in allowed[before]


def test_windows_beyond_the_answer_never_switch() -> None:
    assert DecodeWindow(1, 65).cuts(63) == ()
    assert DecodeWindow(1, 64).cuts(63) == ()
    assert DecodeWindow(1, 63).cuts(63) == (63,)

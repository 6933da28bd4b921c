"""HTA's definitions as the comparison applies them; HTA itself is not needed for that."""

from __future__ import annotations

import json

import pytest
from compare_answers import Answer, by_steps, compared, table
from support.chrome import Event, call, capture, document, kernel, launch, operator, read_bytes, span


def _steps(*events: Event, whole: bool = True) -> dict[str, Answer]:
    data = document(*events)
    return dict(by_steps(read_bytes(data), json.loads(data), whole=whole))


def test_starts_are_rounded_up_and_ends_down() -> None:
    found = _steps(kernel("a", 1.2, 2.5, 1), kernel("b", 10.6, 0.3, 2))
    assert (found["ours"].kernels, found["ours"].busy, found["ours"].window) == ({"a": 2.5, "b": 0.3}, 2.8, 9.7)
    # b, from 11 to 10, counts as less than nothing.
    assert (found["microseconds"].kernels, found["microseconds"].busy) == ({"a": 1.0, "b": -1.0}, 0.0)


def test_doubles_hold_small_times_exactly_and_absolute_ones_nearly() -> None:
    small = _steps(kernel("a", 1.2, 2.5, 1), whole=False)["doubles"]
    assert (small.kernels, small.busy) == ({"a": 2.5}, pytest.approx(2.5))
    first, then = kernel("a", 0, 2.001, 1), kernel("b", 0, 1, 2)
    first["ts"], then["ts"] = 4503599627370496.125, 4503599627370500.125
    assert _steps(first, then, whole=False)["doubles"].idle == pytest.approx(4 - 2.001)


def test_host_events_with_a_stream_count_as_work() -> None:
    with_stream = operator("aten::mm", 20, 5) | {"args": {"stream": 7}}
    waiting = {**kernel("Stream Synchronize", 30, 4), "cat": "cuda_sync"}
    odd = operator("aten::add", 40, 5) | {"args": {"stream": "0x7f"}}
    device_wide = operator("Context", 50, 5) | {"args": {"stream": -1}}
    found = _steps(kernel("a", 0, 10, 1), with_stream, waiting, odd, device_wide)
    assert found["ours"].kernels == {"a": 10}
    assert found["not work"].kernels == {"a": 10, "aten::mm": 5, "Stream Synchronize": 4}
    assert found["names"].kernels == {"a": 10, "aten::mm": 5}
    assert found["names"].busy == 19


def test_several_devices_share_a_timeline() -> None:
    found = _steps(kernel("a", 0, 10, 1), kernel("b", 5, 10, 2, device=1))
    assert (found["captures"].busy, found["one timeline"].busy) == (20, 15)


def test_time_between_captures_is_idle() -> None:
    events = (capture(0, 20), capture(100, 20), kernel("a", 0, 10, 1), kernel("b", 105, 5, 2))
    found = _steps(*events)
    assert (found["ours"].idle, found["captures"].idle) == (0, 95)


def test_with_two_steps_only_launched_ops_count_once_for_each_record() -> None:
    steps = [span("ProfilerStep#1", 0, 10), span("ProfilerStep#2", 10, 10)]
    launches = [launch(1, 2, 1), call("cuLaunchKernel", 1, 1, 1)]
    ops = [kernel("a", 5, 3, 1), kernel("lost", 9, 3, 9)]
    assert _steps(*steps, *launches, *ops)["unlaunched"].kernels == {"a": 6}
    assert "unlaunched" not in _steps(*steps[:1], *launches, *ops)


def test_what_no_definition_explains_is_said() -> None:
    steps = list(_steps(kernel("a", 0, 10, 1), kernel("b", 20, 10, 2)).items())
    good = compared(steps, Answer({"a": 10, "b": 10}, busy=20, window=30))
    assert (good["equal names"], good["unexplained names"], good["busy"]["unexplained"]) == (2, [], 0)
    bad = compared(steps, Answer({"a": 10, "b": 9, "c": 1}, busy=19, window=30))
    assert (bad["equal names"], bad["unexplained names"], bad["busy"]["unexplained"]) == (1, ["b", "c"], -1)
    assert "| x | HTA fails: `gone` |" in table({"x": {"failed": "gone"}, "y": bad}).replace("| | HTA", "| HTA")

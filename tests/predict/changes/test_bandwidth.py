from __future__ import annotations

from support.predict import NOW, budget, summary_of, then


def test_bandwidth_speeds_up_what_memory_bounds_unless_the_host_does() -> None:
    assert then(bandwidth=2.0) == NOW | {"decode": 10 * 550}
    waiting = summary_of(budget("decode", 10, 100, 1_000))
    assert then(waiting, bandwidth=2.0) == {"decode": 10_000}
    assert then(bandwidth=0.5)["decode"] == 10 * 1_900


def test_the_host_is_the_limit_where_the_device_is_busy_for_less_than_half_of_a_run() -> None:
    assert then(summary_of(budget("decode", 1, 499, 1_000)), bandwidth=2.0) == {"decode": 1_000}
    assert then(summary_of(budget("decode", 1, 500, 1_000)), bandwidth=2.0) == {"decode": 750}


def test_what_the_profiler_made_longer_than_a_run_takes_shrinks_in_proportion() -> None:
    assert then(summary_of(budget("decode", 1, 4_000, 1_000)), bandwidth=4.0) == {"decode": 250}

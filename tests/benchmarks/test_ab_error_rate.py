from __future__ import annotations

import json
from pathlib import Path

from ab_error_rate import count, made_up, read, request, slowed, stretches, table

PLAIN = request({"load": 10, "preprocess": 20, "vision": 1000, "prefill": 30}, [5, 5])


def test_only_vision_is_slowed() -> None:
    (slow,) = slowed([PLAIN], 0.2)
    assert slow.stages_ns == {**PLAIN.stages_ns, "vision": 1200}
    assert slow.decode_ns == PLAIN.decode_ns


def test_a_planted_difference_is_found_and_none_is_found_where_none_is() -> None:
    same = count(8, lambda random: made_up(random, "normal"), 0.1, 0.0)
    slow = count(3, lambda random: made_up(random, "normal"), 0.1, 0.4)
    assert (same["sessions"], same["with_claims"] <= 2) == (8, True)
    assert (slow["vision_slower"], slow["recordings"]) == (3, 12)


def test_sessions_that_follow_one_another_use_each_recording_once() -> None:
    series = iter([[PLAIN]] * 30)
    found = count(10**6, lambda _: series, 0.5, 0.0)
    assert (found["sessions"], found["with_claims"]) == (2, 0)  # 1 + 12 each


def test_a_series_is_read_back_and_goes_round(tmp_path: Path) -> None:
    import numpy as np

    line = {"load_ns": 10, "preprocess_ns": 20, "vision_ns": 1000, "prefill_ns": 30, "decode_ns": [5, 5]}
    path = tmp_path / "series.jsonl"
    path.write_text(f"{json.dumps({'requests': [line]})}\n" * 2)
    assert read(path) == [[PLAIN], [PLAIN]]
    round_and_round = stretches(read(path), np.random.default_rng(0))
    assert [next(round_and_round) for _ in range(5)] == [[PLAIN]] * 5


def test_the_table_has_claims_of_equal_runs_and_finds_of_others() -> None:
    row = {"of": "normal", "precision": 0.05, "sessions": 100, "recordings": 16.0}
    lines = table({
        "simulated": [
            row | {"planted": 0.0, "with_claims": 5, "vision_slower": 2},
            row | {"planted": 0.1, "with_claims": 93, "vision_slower": 92},
        ]
    }).splitlines()  # fmt: skip
    assert lines[2:] == [
        "| simulated | normal | 0% | 5.0% | 100 | 5 (5.0%, 2.2% to 11.2%) | – | 16 |",
        "| simulated | normal | 10% | 5.0% | 100 | – | 92 (92.0%) | 16 |",
    ]

from __future__ import annotations

import argparse

from compare_error_rate import judge, table
from support.summaries import requests, summary

SAME, LOUDER, SLOWER = summary(requests(30)), summary(requests(30, louder=1.1)), summary(requests(31.5))


def test_claims_are_counted_by_pair() -> None:
    pairs = [([SAME], [LOUDER], [SLOWER]), ([SAME], [SLOWER], [LOUDER]), ([SAME], [SAME], [SLOWER])]
    found = judge(pairs, "vision", 0.01)
    assert (found["pairs"], found["pairs_with_false_claims"], found["planted_found"]) == (3, 1, 2)
    assert set(found["false_claims"][1]) >= {"vision", "vision per visual token"}
    assert [round(ratio, 2) for ratio in found["planted_ratios"]] == [1.05, 1.0, 1.05]
    assert judge(pairs, "vision", 0.1)["planted_found"] == 0


def test_one_recording_of_each_claims_nothing_by_default_and_several_do() -> None:
    alone = judge([([SAME], [SLOWER], [SLOWER])], "vision", None)
    assert (alone["pairs_with_false_claims"], alone["planted_found"]) == (0, 0)
    several = judge([([SAME] * 5, [SAME] * 5, [SLOWER] * 5)], "vision", None)
    assert (several["pairs_with_false_claims"], several["planted_found"]) == (0, 1)


def test_the_table_names_each_tolerance() -> None:
    options = argparse.Namespace(plant=5.0)
    found = table([judge([([SAME], [LOUDER], [SLOWER])], "vision", tolerance) for tolerance in (0.01, 0.1)], options)
    assert found.splitlines()[2:] == ["| 1% | 0/1 | 1/1 |", "| 10% | 0/1 | 0/1 |"]

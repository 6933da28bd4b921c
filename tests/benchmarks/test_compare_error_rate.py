from __future__ import annotations

import argparse

from compare_error_rate import judge, table
from support.summaries import requests, summary

SAME, LOUDER, SLOWER = summary(requests(30)), summary(requests(30, louder=1.1)), summary(requests(31.5))


def test_claims_are_counted_by_pair() -> None:
    pairs = [([SAME], [LOUDER], [SLOWER]), ([SAME], [SLOWER], [LOUDER]), ([SAME], [SAME], [SLOWER])]
    found = judge(pairs, "vision", None)
    assert (found["pairs"], found["pairs_with_false_claims"], found["planted_found"]) == (3, 1, 2)
    assert set(found["false_claims"][1]) >= {"vision", "vision per visual token"}
    assert [round(ratio, 2) for ratio in found["planted_ratios"]] == [1.05, 1.0, 1.05]
    assert judge(pairs, "vision", 0.1)["planted_found"] == 0


def test_the_table_names_each_tolerance() -> None:
    options = argparse.Namespace(plant=5.0)
    found = table([judge([([SAME], [LOUDER], [SLOWER])], "vision", tolerance) for tolerance in (None, 0.1)], options)
    assert found.splitlines()[2:] == ["| default | 0/1 | 1/1 |", "| 10% | 0/1 | 0/1 |"]

from __future__ import annotations

import msgspec
import pytest
from support.summaries import requests, summary

from tracer.compare.gates import check_budgets, check_regressions, parse_budget, parse_percent
from tracer.compare.pairs import compare
from tracer.document.comparison import Gate
from tracer.document.errors import InputError, UsageError
from tracer.document.summary import Summary


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vision<=5%", ("vision", "share", 0.05)),
        ("tpot<=20ms", ("tpot", "time", 20_000_000)),
        (" ttft <= 1.5 s ", ("ttft", "time", 1_500_000_000)),
        ("request<=900us", ("request", "time", 900_000)),
        ("projector<=7µs", ("projector", "time", 7_000)),
        ("decode<=12NS", ("decode", "time", 12)),
        ("ttft<=30%", ("ttft", "share", 0.3)),
    ],
)
def test_budgets_are_read(text: str, expected: tuple[str, str, float]) -> None:
    budget = parse_budget(text)
    assert (budget.of, budget.kind, pytest.approx(budget.limit)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "vision", "vision<5%", "vision<=", "vision<=5", "vision<=-5%", "nonsense<=5%", "vision<=5%%", "vision<=1e3ms",
     "vision<=5 min", "Vision<=5%", "vision<=" + "9" * 99 + "s", "vision<=٥%", "request<=50%", "tpot<=1%"],
)  # fmt: skip
def test_what_is_no_budget_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="--budget"):
        parse_budget(text)


def test_percentages_are_read() -> None:
    assert parse_percent("--x", " 2.5 %") == 0.025
    with pytest.raises(UsageError, match="--x 5: write a percentage, for example 5%"):
        parse_percent("--x", "5")


def _check(*texts: str, **kwargs: object) -> list[Gate]:
    return check_budgets(summary(requests(30), **kwargs), [parse_budget(text) for text in texts])  # type: ignore[arg-type]


def test_a_budget_is_kept_up_to_its_limit() -> None:
    gates = _check("vision<=24%", "vision<=25%", "tpot<=20ms", "tpot<=21ms", "request<=124ms", "ttft<=83020us")
    assert [gate.passed for gate in gates] == [False, True, False, True, True, True]
    assert gates[0].value == pytest.approx(30.015 / 123.025)
    assert (gates[2].gate, gates[2].path, gates[2].value, gates[2].limit) == (
        "tpot<=20ms", "a.json", 20_010_000, 20_000_000,
    )  # fmt: skip


def test_of_a_trace_alone_shares_and_single_runs_can_be_checked() -> None:
    alone = summary()
    share, run, step = check_budgets(alone, [parse_budget(t) for t in ("decode<=1%", "vision<=30us", "tpot<=1ns")])
    assert share.value == pytest.approx(sum(s.busy_ns + s.idle_ns for s in alone.stages[2:]) / sum(
        s.busy_ns + s.idle_ns for s in alone.stages
    ))  # fmt: skip
    assert (run.value, run.passed, step.passed) == (30_000, True, False)


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ("decode<=1s", "it has no decode .*hold tpot or a share"),
        ("projector<=1s", "it has no projector; it has vision, prefill, tpot"),
        ("load<=1%", "it has no load; it has vision, prefill, decode"),
    ],
)
def test_a_budget_that_cannot_be_checked_is_an_error_and_not_kept(budget: str, reason: str) -> None:
    with pytest.raises(InputError, match=f"^a.json: --budget {budget}: {reason}"):
        check_budgets(summary(), [parse_budget(budget)])


def test_a_budget_on_what_the_trace_alone_does_not_tell_cannot_be_judged() -> None:
    (gate,) = check_budgets(summary(), [parse_budget("request<=1s")])
    assert (gate.value, gate.passed, gate.reason) == (None, False, "the trace holds no pass without a profiler")
    assert gate.next_step == "record with tracer record, which measures both"


def test_steps_that_may_yield_any_number_of_tokens_do_not_say_what_a_token_takes() -> None:
    found = summary()
    passes = msgspec.structs.replace(found, trace=msgspec.structs.replace(found.trace, steps="passes"))
    (gate,) = check_budgets(passes, [parse_budget("tpot<=1s")])
    assert (gate.value, gate.passed) == (None, False)
    assert gate.reason.endswith("nothing in the trace says how many tokens each yields")
    assert check_budgets(passes, [parse_budget("decode<=99%")])[0].passed


def test_a_regression_fails_only_beyond_its_limit_and_the_noise() -> None:
    slower = compare([summary(requests(30), path="a"), summary(requests(33), path="b")], tolerance=0.01)
    failed = check_regressions(slower, 0.05)
    assert [(gate.path, gate.of, gate.passed) for gate in failed] == [("b", "vision", False)]
    assert failed[0].value == pytest.approx(0.1)
    assert {gate.of for gate in check_regressions(slower, 0.01)} == {"vision", "request", "ttft"}
    (kept,) = check_regressions(slower, 0.2)
    assert (kept.of, kept.passed) == ("vision", True)
    noise = compare([summary(requests(30, 4) + requests(36, 4)), summary(requests(36))], tolerance=0.01)
    assert all(gate.passed for gate in check_regressions(noise, 0.0))


def test_what_is_faster_never_fails() -> None:
    faster = compare([summary(requests(33)), summary(requests(30))], tolerance=0.01)
    assert all(gate.passed for gate in check_regressions(faster, 0.0))


@pytest.mark.parametrize(
    ("before", "after", "tolerance", "reason"),
    [
        (summary(), summary(), 0.01, "nothing is tested"),
        (summary(requests(30, 2)), summary(requests(99, 2)), 0.01, "too few to test anything"),
        # Neither what differs nor what does not is told by one recording of each, unless drift is allowed for.
        (summary(requests(30)), summary(requests(60)), None, "one recording of each run"),
        (summary(requests(30)), summary(requests(30)), None, "one recording of each run"),
    ],
)
def test_a_regression_that_cannot_be_judged_is_not_kept_and_says_why(
    before: Summary, after: Summary, tolerance: float | None, reason: str
) -> None:
    (gate,) = check_regressions(compare([before, after], tolerance=tolerance), 0.05)
    assert (gate.passed, gate.value, gate.path) == (False, None, "a.json")
    assert reason in gate.reason


def test_noise_that_leaves_room_for_more_than_the_limit_cannot_be_judged_and_for_less_is_kept() -> None:
    found = compare([summary(requests(30, louder=30)), summary(requests(30, louder=-30))], tolerance=0.01)
    wild = [row for row in found.pairs[0].rows if row.verdict == "cannot tell" and not row.per]
    found = msgspec.structs.replace(found, pairs=[msgspec.structs.replace(found.pairs[0], rows=wild)])
    most = max(row.high_ratio or 0 for row in wild)
    assert most > 1.01
    (gate,) = check_regressions(found, most - 1 + 0.001)
    assert gate.passed
    (gate,) = check_regressions(found, 0.0)
    assert (gate.passed, gate.reason) == (
        False,
        "no measure leaves it sure; record more (tracer record --requests 30)",
    )


def test_a_limit_that_was_kept_names_what_may_be_slower_by_more_all_the_same() -> None:
    found = compare([summary(requests(30, louder=30)), summary(requests(30, louder=-30))], tolerance=0.01)
    (gate,) = check_regressions(found, 0.01)
    assert (gate.passed, gate.of) == (True, "load")
    assert gate.reason.endswith(" may be slower by more: that cannot be told")
    assert "vision" in gate.reason
    assert "load" not in gate.reason
    same = compare([summary(requests(30)), summary(requests(30))], tolerance=0.01)
    assert [gate.reason for gate in check_regressions(same, 0.1)] == [""]


def test_one_recording_of_each_is_judged_once_drift_is_allowed_for() -> None:
    pair = [summary(requests(30)), summary(requests(60))]
    assert [gate.of for gate in check_regressions(compare(pair, tolerance=0.03), 0.05)] == ["vision", "request", "ttft"]

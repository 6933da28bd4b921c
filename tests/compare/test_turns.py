"""Sessions in turns, with recordings that are there already and a clock that is counted."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import numpy as np
import pytest
from support.summaries import requests, summary

from tracer.compare.gates import check_regressions
from tracer.compare.turns import FAILURE, INTERRUPT, PRECISE, TIME, Asked, Session
from tracer.document.comparison import Comparison
from tracer.document.errors import InputError, UsageError
from tracer.document.summary import Summary

Recorder = Callable[[str, int], Summary]


def _noisy(slower: float = 1.0, noise: float = 0.01, seed: int = 3) -> Recorder:
    random = np.random.default_rng(seed)

    def record(run: str, number: int) -> Summary:
        factor = (slower if run == "B" else 1.0) * float(np.exp(noise * random.normal()))
        return summary(requests(30 * factor, 3, prefill_ms=50 * float(np.exp(noise * random.normal()))))

    return record


def _session(
    record: Recorder, *, of: str = "vision", precision: float = 0.05, most_s: float = 1e9, seed: int = 0
) -> Session:
    seconds = count()
    asked = Asked(of=of, precision=precision, most_s=most_s, seed=seed)
    return Session(asked, record, clock=lambda: float(next(seconds)))


def _run(session: Session) -> Session:
    session.run(lambda _: None)
    return session


def _verdicts(found: Comparison) -> dict[str, str]:
    return {row.of: row.verdict for row in found.pairs[0].rows if not row.per}


def test_it_ends_when_recordings_scatter_little_and_a_planted_difference_is_found() -> None:
    session = _run(_session(_noisy(1.1)))
    found = session.judged()
    assert session.ended == PRECISE
    assert found.turns is not None
    assert found.turns.expected is not None
    assert found.turns.expected <= 0.05
    assert found.turns.compared * 2 == len(session.recorded) == 12
    assert _verdicts(found)["vision"] == "slower"
    assert _verdicts(found)["decode"] != "slower"


def test_equal_runs_are_told_apart_in_no_row() -> None:
    found = _run(_session(_noisy())).judged()
    assert not {"slower", "faster"} & set(_verdicts(found).values())
    assert (found.pairs[0].inconclusive, found.pairs[0].notes) == (False, [])


def test_the_more_recordings_scatter_the_longer_it_takes() -> None:
    lengths = [len(_run(_session(_noisy(noise=noise))).recorded) for noise in (0.01, 0.04, 0.1)]
    assert lengths == sorted(lengths)
    assert lengths[-1] > lengths[0]


def test_when_to_stop_does_not_depend_on_whose_a_recording_is() -> None:
    """The same times in the same order, with other lots: the same number of recordings."""
    times = np.random.default_rng(1).normal(0, 0.05, size=1000).tolist()

    def record(_: str, number: int) -> Summary:
        return summary(requests(30 * float(np.exp(times[number])), 3))

    lengths = {len(_run(_session(record, seed=seed)).recorded) for seed in range(4)}
    orders = {tuple(_run(_session(record, seed=seed)).order) for seed in range(4)}
    assert len(lengths) == 1
    assert len(orders) == 4


def test_a_machine_that_slows_down_all_along_is_no_difference() -> None:
    def record(_: str, number: int) -> Summary:
        return summary(requests(30 * 1.03**number, 3))

    for seed in range(5):
        found = _run(_session(record, seed=seed, most_s=150)).judged()
        assert _verdicts(found)["vision"] not in ("slower", "faster")


def test_false_claims_are_no_more_frequent_than_stated_under_drift_and_any_stopping() -> None:
    """100 sessions of equal runs, each row at its own noise: above 12 would be a matter of 1 in 200."""
    claimed = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        drift = np.cumsum(random.normal(0, 0.02, size=200))

        def record(_: str, number: int, drift: object = drift, random: np.random.Generator = random) -> Summary:
            level = float(np.exp(drift[number]))  # type: ignore[index]
            return _template(level, random)

        found = _run(_session(record, precision=0.1, seed=seed, most_s=60)).judged()
        claimed += bool({"slower", "faster"} & set(_verdicts(found).values()))
    assert claimed <= 12


_PLAIN = summary(requests(30, 1))


def _template(level: float, random: np.random.Generator) -> Summary:
    import msgspec

    (one,) = _PLAIN.requests
    stages = {
        name: round(time_ns * level * float(np.exp(0.02 * random.normal()))) for name, time_ns in one.stages_ns.items()
    }
    return msgspec.structs.replace(_PLAIN, requests=[msgspec.structs.replace(one, stages_ns=stages)])


def test_time_that_is_spent_ends_it_within_a_block_of_which_the_even_part_is_compared() -> None:
    session = _run(_session(_noisy(noise=0.5), precision=0.001, most_s=60))
    found = session.judged()
    assert session.ended == TIME
    assert found.turns is not None
    drawn = "".join(found.turns.order)
    assert len(drawn) == len(session.recorded)
    first, second = session.sides()
    assert len(first) == len(second) == found.turns.compared
    assert {drawn[number] for number in first} == {"A"}
    assert {drawn[number] for number in second} == {"B"}
    assert len(drawn) - 2 <= 2 * found.turns.compared <= len(drawn)


def test_too_little_time_judges_nothing_and_says_so() -> None:
    session = _run(_session(_noisy(1.5), most_s=16))
    found = session.judged()
    assert len(session.recorded) < 8
    assert set(_verdicts(found).values()) == {"not tested"}
    assert "too few to test anything; record more (tracer ab --max-time" in found.pairs[0].notes[0]
    (gate,) = check_regressions(found, 0.05)
    assert (gate.passed, gate.value) == (False, None)


def test_no_time_at_all_has_nothing_to_compare() -> None:
    session = _run(_session(_noisy(), most_s=1))
    assert not session.comparable
    with pytest.raises(InputError, match="nothing to compare yet: give it more time"):
        session.judged()


@pytest.mark.parametrize(
    ("error", "ended", "reason"),
    [(KeyboardInterrupt(), INTERRUPT, ""), (InputError("out of memory"), FAILURE, "B: out of memory")],
)
def test_what_was_recorded_before_an_interrupt_or_a_failure_is_judged(
    error: BaseException, ended: str, reason: str
) -> None:
    good = _noisy(1.3)

    def record(run: str, number: int) -> Summary:
        if number == 14:
            raise error
        return good(run, number)

    session = _run(_session(record, precision=0.0001))
    found = session.judged()
    assert (session.ended, session.reason, len(session.recorded)) == (ended, reason, 13)
    assert found.turns is not None
    assert (found.turns.ended, found.turns.compared) == (ended, 6)
    assert _verdicts(found)["vision"] == "slower"


def test_what_fails_at_first_ends_it_there() -> None:
    def record(run: str, _: int) -> Summary:
        if run == "B":
            raise InputError("no such model")
        return summary(requests(30, 2))

    with pytest.raises(InputError, match="no such model"):
        _run(_session(record))


def test_a_measure_that_a_run_has_not_is_an_error_before_minutes_are_spent() -> None:
    with pytest.raises(InputError, match="A: its recording has no projector; it has load, preprocess, vision"):
        _run(_session(_noisy(), of="projector"))
    with pytest.raises(InputError, match="A: .*it has no requests measured without a profiler"):
        _run(_session(lambda *_: summary()))


def test_answers_of_other_lengths_are_compared_by_their_tokens_alone() -> None:
    def record(run: str, number: int) -> Summary:
        return summary(requests(30, 2, tokens=3 if run == "A" else 5))

    with pytest.raises(UsageError, match="--of request: the answers of A and B are of other lengths; --of tpot"):
        _run(_session(record, of="request"))
    assert _run(_session(record, of="tpot")).ended == PRECISE


def test_one_recording_of_each_in_turns_is_no_test_of_its_requests() -> None:
    session = _run(_session(_noisy(2.0), most_s=8))
    found = session.judged()
    if found.turns is not None and found.turns.compared == 1:
        assert set(_verdicts(found).values()) == {"not tested"}

"""Rounds of a recording of two models: what a sweep measured prices others, and so does the target's own work."""

from __future__ import annotations

import msgspec
import pytest
from support.chrome import trace_of
from support.predict import PASS, summary_of
from support.rounds import rounds

from tracer.document.errors import InputError
from tracer.document.summary import Drafting, PricedSpeculation, Roofline, Summary, SweepRow, WayRow
from tracer.predict.whatif import Changes, Speculate, predict
from tracer.summarize import summarize

K = 1_000


def _row(drafted: int, round_ns: int | None, whole_rounds: int = 3) -> SweepRow:
    way = WayRow(
        way="", requests=1, vision_ns=1, prefill_ns=1, ttft_ns=1, decoding_ns=1, decoding_low_ns=None,
        decoding_high_ns=None, request_ns=1, tokens=9, round_ns=round_ns, whole_rounds=whole_rounds,
    )  # fmt: skip
    return SweepRow(drafted=drafted, acceptance=[0.5], measured=way)


def _pair(*sweep: SweepRow, roof: Roofline | None = None, clean: bool = True) -> Summary:
    """Rounds of two and three tokens, of 10 us each, checked in 40; without a profiler they take half of that."""
    found = summarize(trace_of(*rounds([(2, 1), (2, 1), (3, 0)])))
    told = found.speculation
    assert told is not None and told.took_ns is not None
    half = msgspec.structs.replace(told, target_step_ns=15 * K, clean_took_ns=told.took_ns // 2) if clean else told
    drafting = Drafting(
        draft="d", size="", weights="random", device="cpu", drafted=2, schedule="sequential", mapping="shared ids",
        acceptance=[0.5], seed=0, target_step_ns=15 * K, ways=[], sweep=list(sweep), roofline=roof,
    )  # fmt: skip
    return msgspec.structs.replace(found, speculation=half, drafting=drafting)


def _priced(summary: Summary, drafted: int) -> PricedSpeculation:
    asked = Speculate(drafted=drafted, acceptance=(0.5,))
    found = predict(summary, Changes(stages={}, speculate=asked)).speculation
    assert found is not None
    return found


def _roof(work: object = PASS) -> Roofline:
    roof = summary_of().roofline
    assert roof is not None
    return msgspec.structs.replace(roof, stages=[], visual_token=None, step=work)


def test_a_sweep_prices_rounds_as_whole_as_it_measured_them() -> None:
    found = _priced(_pair(_row(4, 60 * K), _row(4, 80 * K), _row(8, 100 * K, 2)), 4)
    assert found.round_ns == pytest.approx(70 * K)
    assert found.verify_ns == pytest.approx(70 * K - 4 * 5 * K)
    assert found.verify_source == "measured, 6 rounds of the sweep, without a profiler, less drafting"
    # Lengths between are between: 50 us and 60 are left of the rounds for their checks.
    between = _priced(_pair(_row(4, 70 * K), _row(8, 100 * K)), 6)
    assert between.verify_ns == pytest.approx(55 * K)
    assert between.verify_source == "between checks of 4 and 8 drafted in the sweep, without a profiler, less drafting"
    assert _priced(_pair(_row(4, 70 * K)), 2).verify_source == "measured, 2 rounds of the trace"


def test_what_the_trace_has_and_a_sweep_has_are_neighbours_too() -> None:
    found = _priced(_pair(_row(5, 65 * K)), 4)
    assert found.verify_ns == pytest.approx((20 * K + 40 * K) / 2)
    assert "of 3 drafted in the trace and of 5 in the sweep" in found.verify_source


@pytest.mark.parametrize("sweep", [(), (_row(6, None),), (_row(6, 20 * K),)])
def test_a_sweep_without_whole_rounds_or_shorter_than_their_drafts_prices_nothing(sweep: tuple[SweepRow, ...]) -> None:
    with pytest.raises(InputError, match=r"its model's work is not known .*; to measure it, record a sweep .*k=1:6\)"):
        _priced(_pair(*sweep), 6)


def test_rounds_under_a_profiler_are_not_mixed_with_a_sweeps_without() -> None:
    with pytest.raises(InputError, match="what a pass over 7 tokens takes is unknown"):
        _priced(_pair(_row(6, 90 * K), clean=False), 6)


def test_checks_that_were_measured_grow_as_the_targets_roofline_does() -> None:
    few = _priced(_pair(roof=_roof()), 4)
    assert (few.verify_ns, few.verify_source) == (
        pytest.approx(20 * K), "checks of 3 drafted in the trace, grown as the model's roofline is"
    )  # fmt: skip
    # Reading takes 0.8 us, the arithmetic of 100 positions 1.
    assert _priced(_pair(roof=_roof()), 99).verify_ns == pytest.approx(20 * K * 1.0 / 0.801, rel=1e-2)
    with pytest.raises(InputError, match="peaks are not known"):
        _priced(_pair(roof=msgspec.structs.replace(_roof(), peak_gbs=None)), 6)


def test_stages_of_two_models_say_so_where_one_models_work_is_asked_for() -> None:
    for change in ({"visual_tokens": 0.5}, {"bandwidth": 2.0}):
        with pytest.raises(InputError, match="holds the work of two models.* a recording of the target by itself"):
            predict(_pair(), Changes(stages={}, **change))  # type: ignore[arg-type]


def test_launches_of_drafts_and_checks_are_overhead_too() -> None:
    one = _pair()
    waiting = [msgspec.structs.replace(row, busy_ns=(row.step_ns or 0) / 2) for row in one.budget]
    found = predict(msgspec.structs.replace(one, budget=waiting), Changes(stages={}, launch_overhead=0.0))
    then = {row.stage: row.then_ns / row.now_ns for row in found.stages}
    assert then["draft"] == then["verify"] == then["decode"] == 0.5
    assert "the device waits in prefill, decode, draft and verify is launch overhead" in found.assumptions[0]

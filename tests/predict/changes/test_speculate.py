"""What rounds of speculative decoding would take: each part priced by what says it, and nothing where nothing does."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chrome import trace_of
from support.predict import budget, draft_of, summary_of, then
from support.rounds import rounds
from support.summaries import requests
from support.summaries import summary as recorded

from tracer.cli.whatif import _beside_rounds as beside_rounds
from tracer.document.errors import InputError, UsageError
from tracer.document.summary import PassWork, PricedSpeculation, RunTime, Summary
from tracer.predict.speculating.acceptance import break_even, expected_tokens
from tracer.predict.whatif import Changes, Speculate, predict
from tracer.summarize import summarize

FREE = draft_of(0.0)
SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=6)


def _asked(drafted: int, *shares: float, draft: Summary | None = FREE) -> Speculate:
    return Speculate(drafted=drafted, acceptance=shares, draft=draft)


def _priced(summary: Summary, asked: Speculate) -> PricedSpeculation:
    found = predict(summary, Changes(stages={}, speculate=asked)).speculation
    assert found is not None
    return found


@pytest.mark.parametrize(("drafted", "share", "tokens"), [(4, 0.7, 2.7731), (3, 1.0, 4), (3, 0.0, 1)])
def test_with_a_draft_for_nothing_and_checks_like_steps_a_round_yields_by_the_formula(
    drafted: int, share: float, tokens: float
) -> None:
    assert then(speculate=_asked(drafted, share))["decode"] == pytest.approx(10_000 / tokens, rel=1e-4)


def test_acceptance_by_position_holds_if_those_before_are_accepted_and_the_last_goes_on() -> None:
    assert expected_tokens([0.9, 0.5], 3) == pytest.approx(1 + 0.9 + 0.45 + 0.225)
    assert expected_tokens([0.9, 0.5], 1) == pytest.approx(1.9)


@given(drafted=st.integers(1, 30), share=st.floats(0, 0.999))
def test_the_sum_over_positions_is_the_published_formula(drafted: int, share: float) -> None:
    assert expected_tokens([share], drafted) == pytest.approx((1 - share ** (drafted + 1)) / (1 - share))


@given(drafted=st.integers(1, 12), needed=st.floats(0.5, 14))
def test_at_the_break_even_a_round_yields_what_the_target_makes_in_its_time(drafted: int, needed: float) -> None:
    even = break_even(drafted, needed)
    if even is None:
        assert needed > drafted + 1
    else:
        assert expected_tokens([even], drafted) == pytest.approx(max(1.0, needed), rel=1e-6)


def test_however_much_is_drafted_a_step_is_left() -> None:
    assert then(summary_of(budget("decode", 3, 900, 1_000)), speculate=_asked(9, 1.0))["decode"] == 1_000
    assert then(summary_of(budget("decode", 3, 900, 1_000)), speculate=_asked(1, 1.0))["decode"] == 1_500


def test_drafting_takes_the_drafts_own_steps_and_its_stages_come_before() -> None:
    draft = draft_of(200.0, budget("vision", 1, 10, 70), budget("prefill", 1, 10, 80))
    found = predict(summary_of(), Changes(stages={}, speculate=_asked(4, 0.5, draft=draft)))
    assert [(one.stage, one.role, one.then_ns) for one in found.stages[-2:]] == [
        ("vision", "draft", 70), ("prefill", "draft", 80),
    ]  # fmt: skip
    assert found.speculation is not None
    assert found.speculation.round_ns == pytest.approx(1_000 + 4 * 200)
    assert found.speculation.draft_source.startswith("a step in ")
    assert found.then_ns == found.now_ns - 10_000 + round(10_000 / 1.9375 * 1.8) + 150


def test_a_pass_over_many_positions_is_priced_by_its_arithmetic_where_that_takes_longer_than_reading() -> None:
    # A step is busy for 900 of 1,000 ns; 101 positions reckon for 1,010 at peak, which prefill reaches.
    few, many = _priced(summary_of(), _asked(1, 0.5)), _priced(summary_of(), _asked(100, 0.5))
    assert few.verify_ns == pytest.approx(1_000)
    assert many.verify_ns == pytest.approx(1_000 - 900 + 1_010)
    assert "roofline" in many.verify_source
    # Where prefill does not, arithmetic takes as much longer here; where nothing tells, as a step does.
    assert _priced(_prefill(busy_ns=2), _asked(100, 0.5)).verify_ns == pytest.approx(1_000 - 900 + 2_020)
    assert _priced(_prefill(bound="memory"), _asked(100, 0.5)).verify_ns == pytest.approx(
        1_000 - 900 + 1_010 * 900 / 801
    )


def _prefill(**figures: object) -> Summary:
    summary = summary_of()
    assert summary.roofline is not None
    rows = [
        msgspec.structs.replace(row, **figures) if row.stage == "prefill" else row for row in summary.roofline.stages
    ]
    return msgspec.structs.replace(summary, roofline=msgspec.structs.replace(summary.roofline, stages=rows))


def test_a_pass_that_waits_for_its_host_takes_no_longer_until_the_device_is_the_limit() -> None:
    waits = summary_of(budget("decode", 10, 300, 1_000))
    assert _priced(waits, _asked(50, 0.5)).verify_ns == 1_000
    assert "the host" in _priced(waits, _asked(50, 0.5)).verify_source
    assert _priced(waits, _asked(400, 0.5)).verify_ns > 1_000


def test_break_even_and_the_best_length_follow_from_the_prices() -> None:
    found = _priced(summary_of(), _asked(4, 0.5, draft=draft_of(250.0)))
    # A round takes 2,000: as long as two steps, of which p + p^2 + p^3 + p^4 = 1.
    assert found.break_even_acceptance == pytest.approx(0.5188, abs=1e-3)
    assert found.speedup == pytest.approx(1.9375 / 2)
    assert found.best_drafted == 1
    assert _priced(summary_of(), _asked(4, 0.2, draft=draft_of(250.0))).best_drafted == 0
    assert _priced(summary_of(), _asked(1, 0.9, draft=draft_of(2_000.0))).break_even_acceptance is None


def test_of_a_batch_all_sequences_have_to_accept() -> None:
    batch = msgspec.structs.replace(summary_of(), run={"decode": "eager", "batch_size": 2})
    assert _priced(batch, _asked(1, 0.5)).tokens == 1.25


def test_without_a_draft_or_a_roofline_nothing_is_priced() -> None:
    with pytest.raises(InputError, match="what drafting a token takes is unknown: give a recording of the draft"):
        predict(summary_of(), Changes(stages={}, speculate=_asked(4, 0.5, draft=None)))
    with pytest.raises(InputError, match="what a pass over 5 tokens takes is unknown"):
        predict(summary_of(work=None), Changes(stages={}, speculate=_asked(4, 0.5)))
    unpeaked = summary_of()
    assert unpeaked.roofline is not None
    unpeaked = msgspec.structs.replace(
        unpeaked, roofline=msgspec.structs.replace(unpeaked.roofline, peak_gbs=None, peak_source="")
    )
    with pytest.raises(InputError, match="peaks are not known: give --peak-tflops and --peak-gbs"):
        predict(unpeaked, Changes(stages={}, speculate=_asked(4, 0.5)))
    lost = RunTime(stage="decode", runs=3, busy_ns=None, step_ns=None, clean=False)
    with pytest.raises(InputError, match="what its steps take is unknown"):
        predict(summary_of(), Changes(stages={}, speculate=_asked(4, 0.5, draft=summary_of(lost))))


def test_rounds_in_the_trace_price_rounds_of_other_lengths_by_what_was_measured() -> None:
    in_trace = summarize(trace_of(*rounds([(2, 1), (2, 1), (4, 4), (4, 0)], draft=10, verify=40, mapping=4)))
    found = _priced(in_trace, _asked(3, 1.0, draft=None))
    assert (found.draft_token_ns, found.verify_ns) == (10_000, 40_000)
    assert found.map_token_ns == pytest.approx(16_000 / 12)
    assert (found.step_ns, found.tokens) == (30_000, 4)
    assert found.verify_source == "between checks of 2 and 4 drafted in the trace"
    assert [one.drafted for one in found.by_drafted] == [2, 3, 4]
    # Ten tokens were yielded in four rounds, and would be in two and a half.
    stages = then(in_trace, speculate=_asked(3, 1.0, draft=None))
    assert (stages["draft"], stages["map"], stages["verify"]) == (75_000, 10_000, 100_000)
    assert stages["decode"] == 120_000
    with pytest.raises(InputError, match="what a pass over 9 tokens takes is unknown"):
        _priced(in_trace, _asked(8, 1.0, draft=None))


def test_of_measured_rounds_no_other_change_is_made_that_would_not_be_in_their_price() -> None:
    in_trace = summarize(trace_of(*rounds([(2, 1), (2, 1)])))
    asked = _asked(2, 1.0, draft=None)
    slower = msgspec.structs.replace(
        in_trace, budget=[msgspec.structs.replace(one, step_ns=(one.step_ns or 0) + 9_000) for one in in_trace.budget]
    )
    with pytest.raises(UsageError, match="ask for what else changes decode, draft and verify apart"):
        predict(slower, Changes(stages={}, launch_overhead=0.0, speculate=asked))
    # What a person says of a stage comes last.
    half = then(in_trace, {"verify": 0.5}, speculate=asked)["verify"]
    assert half == pytest.approx(then(in_trace, speculate=asked)["verify"] / 2, abs=1)


def test_rounds_that_do_not_say_what_they_yielded_are_no_other_rounds() -> None:
    with pytest.raises(InputError, match="what drafting a token takes is unknown"):
        _priced(summarize(trace_of(*rounds([None, None]))), _asked(1, 1.0, draft=None))


def test_rounds_of_the_trace_are_scaled_to_a_step_that_was_measured_without_a_profiler() -> None:
    in_trace = summarize(trace_of(*rounds([(2, 1), (2, 1)], draft=10, verify=40)))
    told = in_trace.speculation
    assert told is not None and told.took_ns == 120_000
    clean = msgspec.structs.replace(told, target_step_ns=20_000, clean_took_ns=60_000)
    found = _priced(msgspec.structs.replace(in_trace, speculation=clean), _asked(2, 1.0, draft=None))
    assert (found.draft_token_ns, found.verify_ns, found.step_ns) == (5_000, 20_000, 20_000)
    assert found.speedup == pytest.approx(2.0)
    # What the trace has stays the trace's.
    stages = then(msgspec.structs.replace(in_trace, speculation=clean), speculate=_asked(2, 1.0, draft=None))
    assert stages["verify"] == pytest.approx(80_000 * 2 / 3, abs=1)


def test_a_recording_of_rounds_stands_beside_the_prediction_but_for_what_has_the_drafts_stages_in_it() -> None:
    measured = recorded(requests(50, 5, louder=0))
    rows = summarize(trace_of(*rounds([(2, 1), (2, 1)])))
    changed = msgspec.structs.replace(measured, speculation=rows.speculation)
    draft = draft_of(200.0, budget("vision", 1, 10, 70))
    found = beside_rounds(predict(summary_of(), Changes(stages={}, speculate=_asked(4, 0.5, draft=draft))), changed)
    assert changed.latency is not None
    beside = {(one.role, one.stage): one.measured_ns for one in found.stages}
    assert beside[None, "prefill"] == changed.latency.stages_ns["prefill"]
    assert beside[None, "decode"] is beside["draft", "vision"] is None
    assert found.measured_ns == changed.latency.request_ns
    assert found.speculation is not None and found.speculation.measured_tokens == 2.0


def test_a_model_without_work_prices_nothing() -> None:
    nothing = PassWork(weight_bytes=0, kv_bytes=0, token_kv_bytes=0, token_flops=0, pair_flops=0)
    with pytest.raises(InputError, match="what a pass over 5 tokens takes is unknown"):
        predict(summary_of(work=nothing), Changes(stages={}, speculate=_asked(4, 0.5)))

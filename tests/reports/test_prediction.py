from __future__ import annotations

import msgspec

from reports.document import of_prediction
from reports.render.text import render
from tracer.document.summary import Prediction, PricedLength, PricedSpeculation, StagePrediction

FOUND = Prediction(
    of="a request",
    source="clean",
    stages=[
        StagePrediction(stage="vision", now_ns=44_800_000, then_ns=10_000_000),
        StagePrediction(stage="decode", now_ns=1_570_000_000, then_ns=1_570_000_000),
    ],
    now_ns=1_614_800_000,
    then_ns=1_580_000_000,
    assumptions=["--batch-frames 5: in words"],
)


def _render(found: Prediction) -> str:
    return render(of_prediction(found))


def test_a_prediction() -> None:
    assert _render(FOUND) == (
        "a request      now     then  change\n"
        "vision     44.8 ms  10.0 ms  -77.7%\n"
        "decode      1.57 s   1.57 s       –\n"
        "in all      1.61 s   1.58 s   -2.2%\n"
        "predicted, not measured; now: as measured without a profiler. It assumes:\n"
        "• --batch-frames 5: in words\n"
    )


def test_a_request_is_what_its_latencies_say_and_that_stages_do_not_add_up_to_it_is_said() -> None:
    report = _render(msgspec.structs.replace(FOUND, now_ns=1_700_000_000, then_ns=1_665_200_000))
    assert "in all      1.70 s   1.67 s   -2.0%\n" in report
    assert "in all: the median request, to which medians of stages do not add up\n" in report
    assert "medians" not in _render(FOUND)


def test_a_prediction_beside_a_measurement() -> None:
    stages = [msgspec.structs.replace(row, measured_ns=row.then_ns * 2) for row in FOUND.stages]
    found = msgspec.structs.replace(FOUND, stages=stages, measured_ns=2 * FOUND.then_ns)
    report = _render(found)
    assert "a request      now     then  change  measured  off by\n" in report
    assert "vision     44.8 ms  10.0 ms  -77.7%   20.0 ms  -50.0%\n" in report


PRICED = PricedSpeculation(
    drafted=4, acceptance=[0.5] * 4, tokens=1.9375, step_ns=30e6, step_source="measured without a profiler",
    draft_token_ns=2e6, draft_source="a step in d.json", map_token_ns=0.0, map_source="taken for nothing",
    verify_ns=32e6, verify_source="the roofline", round_ns=40e6, speedup=1.453, break_even_acceptance=0.26,
    best_drafted=4, by_drafted=[
        PricedLength(drafted=length, verify_ns=32e6, tokens=1.5, round_ns=40e6, speedup=1.1) for length in (1, 3, 4)
    ],
)  # fmt: skip


def test_each_part_of_a_round_has_its_price_and_where_that_is_from() -> None:
    added = StagePrediction(stage="vision", role="draft", now_ns=0, then_ns=7_000_000)
    said = " ".join(_render(msgspec.structs.replace(FOUND, stages=[*FOUND.stages, added], speculation=PRICED)).split())
    assert "vision of the draft 0 ns 7.00 ms" in said
    assert "drafting 4 tokens 8.00 ms a step in d.json mapping them – taken for nothing" in said
    assert "checking 5 in one pass 32.0 ms the roofline in all 40.0 ms 1.94 tokens on average" in said
    assert "1.45 x as fast as the target alone · breaks even at an acceptance of 26% · best: 4 tokens a round" in said
    assert "1 32.0 ms 40.0 ms 1.50 1.10 x 4 32.0 ms" in said


def test_rounds_that_were_recorded_stand_beside_the_predicted_ones() -> None:
    added = StagePrediction(stage="vision", role="draft", now_ns=0, then_ns=7_000_000)
    stages = [*(msgspec.structs.replace(row, measured_ns=row.then_ns * 2) for row in FOUND.stages), added]
    priced = msgspec.structs.replace(PRICED, measured_speedup=1.31, measured_tokens=1.9)
    found = msgspec.structs.replace(FOUND, stages=stages, measured_ns=2 * FOUND.then_ns, speculation=priced)
    said = " ".join(_render(found).split())
    assert "vision of the draft 0 ns 7.00 ms – – –" in said
    assert "predicted to be 1.45 x as fast as the target alone, and was 1.31 x, with 1.90 tokens a round" in said


def test_without_the_targets_own_step_it_is_said_that_nothing_tells_whether_it_pays() -> None:
    unknown = msgspec.structs.replace(PRICED, step_ns=None, speedup=None, step_source="no steps")
    assert "whether it pays is unknown: no steps" in _render(msgspec.structs.replace(FOUND, speculation=unknown))
    never = msgspec.structs.replace(PRICED, speedup=0.5, break_even_acceptance=None, best_drafted=0)
    said = " ".join(_render(msgspec.structs.replace(FOUND, speculation=never)).split())
    assert "no acceptance makes up for it · best: no draft at all" in said

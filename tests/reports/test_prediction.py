from __future__ import annotations

import msgspec

from reports.document import of_prediction
from reports.render.text import render
from tracer.document.summary import Prediction, StagePrediction

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

from __future__ import annotations

import msgspec
import pytest
from support.chrome import kernel, trace_of
from support.predict import budget, draft_of, summary_of, then
from support.summaries import requests, summary

from tracer.document.errors import InputError, UsageError
from tracer.predict.whatif import Changes, Speculate, predict
from tracer.summarize import summarize


def test_changes_add_up() -> None:
    both = then(launch_overhead=0.0, speculate=Speculate(drafted=3, acceptance=(1.0,), draft=draft_of(0.0)))
    assert both == {"vision": 1_000, "prefill": 8_000, "decode": 2_250}


def test_what_is_not_known_is_not_predicted() -> None:
    with pytest.raises(InputError, match="no stages"):
        predict(summarize(trace_of(kernel("k", 0, 1))), Changes(stages={}, launch_overhead=0))
    with pytest.raises(InputError, match="does not say what a visual token costs"):
        predict(summary_of(token=None), Changes(stages={}, visual_tokens=0.5))
    unknown = msgspec.structs.replace(summary_of(), roofline=None)
    with pytest.raises(InputError, match="bound by memory"):
        predict(unknown, Changes(stages={}, bandwidth=2))
    with pytest.raises(UsageError, match="has no stage vision; it has prefill"):
        predict(summary_of(budget("prefill", 1, 1, 1)), Changes(stages={}, batch_frames=5))


def test_a_request_is_what_its_latencies_say_and_gains_are_taken_from_that() -> None:
    """Stages whose medians lie in different requests: their sum is no request's."""
    clean = [*requests(30, 3, louder=0, prefill_ms=80), *requests(60, 2, louder=0, prefill_ms=20)]
    recorded = summary(clean)
    assert recorded.latency is not None
    found = predict(recorded, Changes(stages={"vision": 0.5}))
    stages = {stage.stage: stage for stage in found.stages}
    assert found.now_ns == recorded.latency.request_ns
    assert found.now_ns - found.then_ns == stages["vision"].now_ns - stages["vision"].then_ns
    assert (found.of, found.source) == ("a request", "clean")


def test_of_a_data_set_and_of_a_foreign_trace_all_stages_are_added_up() -> None:
    for whole in (summary(), summary_of()):
        found = predict(whole, Changes(stages={"prefill": 0.5}))
        assert (found.of, found.now_ns) == ("the trace", sum(stage.now_ns for stage in found.stages))

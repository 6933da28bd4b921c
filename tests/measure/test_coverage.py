"""Part of an answer is reported as a part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from support.chrome import kernel, launch, span, trace_of
from support.manifests import as_metadata, latencies, manifest

from reports.document import of_summary
from reports.render import markdown
from reports.text import render
from tracer.compare.figures import TRACE, shares
from tracer.document.manifest import Shape
from tracer.document.summary import Summary, encode
from tracer.summarize import summarize

if TYPE_CHECKING:
    from tracer.document.summary import Finding

NEW_TOKENS = 300


def _summary(first: int, stop: int, *, requests: int = 1, recorded: bool = True) -> Summary:
    """Vision 20 ms, prefill 30 ms, steps of 1 ms from `first` to before `stop`, of 299."""
    events, at, number = [], 0.0, 0
    for request in range(requests):
        begin = at
        for name, length in (
            ("vision", 20_000),
            ("prefill", 30_000),
            *[(f"decode#{k}", 1000) for k in range(first, stop)],
        ):
            number += 1
            events += [
                span(f"tracer/{name}", at, length),
                launch(at + 1, 1, number),
                kernel("k", at + 5, length, number),
            ]
            at += length
        events.append(span(f"tracer/request#{request}", begin, at - begin))
    shape = Shape(batch_size=1, frames=5, visual_tokens=582, prompt_tokens=64, new_tokens=NEW_TOKENS)
    clean = [latencies(20, prefill_ms=30, step_ms=1, tokens=NEW_TOKENS)] * 3
    return summarize(trace_of(*events, **({"tracer": as_metadata(clean, shape=shape)} if recorded else {})))


def _found(summary: Summary, id: str) -> Finding | None:
    return next((finding for finding in summary.findings if finding.id == id), None)


@pytest.mark.parametrize(("first", "stop"), [(1, 65), (10, 14), (1, 300)])
@pytest.mark.parametrize("requests", [1, 2])
def test_the_bottleneck_is_of_the_whole_answer_however_much_was_recorded(first: int, stop: int, requests: int) -> None:
    summary = _summary(first, stop, requests=requests)
    finding = _found(summary, "bottleneck-stage")
    assert finding is not None
    assert finding.message.startswith("LLM decode takes 85.7 % of device time: 15 x vision")  # 299 of 349 ms
    assert finding.evidence["device_time_ns"] == requests * 299_000_000
    decode = next(stage for stage in summary.stages if stage.stage == "decode")
    assert (decode.recorded_runs, decode.of_runs) == (requests * (stop - first), requests * 299)
    assert shares(summary, TRACE)["decode"] == pytest.approx(299 / 349, rel=0.01)
    time = next(time for time in summary.budget if time.stage == "decode")
    assert (time.runs, time.recorded) == (299, requests * (stop - first))


def test_every_renderer_says_how_many_steps_were_recorded() -> None:
    summary = _summary(1, 65)
    for text in (render(summary, width=200), markdown.render(of_summary(summary), heading="trace")):
        assert "64 of 299 decode steps recorded: shares, findings and gains are of the whole request" in text
        assert "64 of 299 steps recorded" in text
    scaled = "share: of whole requests, so scaled: decode's by 4.67 (64 of 299 decode steps recorded)."
    assert scaled in " ".join(render(summary, width=200).split())
    (part,) = msgspec.json.decode(encode(summary))["coverage"]
    assert part == {"stage": "decode", "recorded_runs": 64, "of_runs": 299}


def test_of_a_whole_answer_nothing_is_scaled_and_nothing_said() -> None:
    for summary in (_summary(1, 300), _summary(1, 65, recorded=False)):
        assert summary.coverage == []
        assert " steps recorded" not in render(summary, width=200)
        assert all(stage.scale == 1 for stage in summary.stages)


def test_where_no_step_was_recorded_no_stage_is_called_the_bottleneck() -> None:
    summary = _summary(5, 5)
    assert _found(summary, "bottleneck-stage") is None
    assert [(part.recorded_runs, part.of_runs) for part in summary.coverage] == [(0, 299)]
    assert "0 of 299 decode steps recorded: nothing here says how long they take" in render(summary, width=200)


def test_decoding_marked_as_a_whole_is_one_run_of_a_request() -> None:
    trace: list[Any] = [span("tracer/request#0", 0, 1000), span("tracer/decode", 10, 900), launch(11, 1, 1)]
    whole = msgspec.structs.replace(latencies(), decode_ns=[], decode_whole_ns=900_000)
    summary = summarize(trace_of(*trace, kernel("k", 15, 800, 1), tracer=as_metadata([whole])))
    assert summary.coverage == []
    assert [(time.runs, time.step_ns, time.clean) for time in summary.budget] == [(1, 900_000, True)]
    assert manifest([whole]).shape.new_tokens == 3

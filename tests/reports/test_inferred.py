"""That stages are inferred, and how surely, is said wherever something is said of them."""

from __future__ import annotations

import pytest
from conftest import DATA
from support.chrome import kernel, span, trace_of

from reports.document import of_prediction, of_summary
from reports.render import markdown, text
from tracer.document.summary import Summary, decode, encode
from tracer.predict.whatif import Changes, predict
from tracer.summarize import summarize, summarize_file

SURE = "confidence 0.86 of 1"


@pytest.fixture(scope="module")
def inferred() -> Summary:
    return summarize_file(DATA / "bare" / "hf_beams.json.gz")


def test_the_document_has_the_confidence_and_keeps_it(inferred: Summary) -> None:
    assert (inferred.trace.markers, inferred.trace.confidence) == ("inferred", 0.86)
    assert decode(encode(inferred)).trace.confidence == 0.86


def test_every_renderer_says_it_in_front_of_the_stages_and_of_the_findings(inferred: Summary) -> None:
    assert inferred.findings
    for said in (
        text.render(of_summary(inferred), width=200),
        markdown.render(of_summary(inferred), heading="tracer summarize"),
    ):
        assert said.index(SURE) < said.index("prefill") < said.rindex(SURE) < said.index("bottleneck-stage")


def test_a_prediction_assumes_it(inferred: Summary) -> None:
    found = predict(inferred, Changes(stages={}, launch_overhead=0.0))
    assert "inferred from what repeats, with a confidence of 0.86" in text.render(of_prediction(found), width=200)


def test_of_other_stages_nothing_is_said_of_confidence() -> None:
    marked = summarize(trace_of(span("tracer/prefill", 0, 9), kernel("gemm", 1, 2)))
    assert marked.trace.confidence is None
    assert "confidence" not in text.render(of_summary(marked))

"""Names of stages of several models."""

from __future__ import annotations

from support.chrome import kernel, launch, span, trace_of

from tracer.charge.stages.called import named_stages
from tracer.charge.stages.find import find_stages
from tracer.document.names import ALL_STAGES


def _called(*names: str) -> list[str]:
    events = [span(name, 100 * place, 50) for place, name in enumerate(names)]
    ranges = find_stages(trace_of(launch(1, 1, 1), kernel("k", 3, 5, 1), *events))
    known, codes = named_stages(ranges)
    assert known[: len(ALL_STAGES)] == list(ALL_STAGES)
    return [known[code] for code in codes.tolist()]


def test_a_stage_in_which_several_models_work_is_called_by_the_model_too() -> None:
    marks = ("tracer/draft/prefill", "tracer/prefill", "tracer/draft#1", "tracer/verify#1")
    assert _called(*marks) == ["draft/prefill", "target/prefill", "draft", "verify"]


def test_stages_of_one_model_and_those_that_one_alone_has_are_called_as_ever() -> None:
    assert _called("tracer/vision", "tracer/prefill") == ["vision", "prefill"]
    assert _called("tracer/prefill", "tracer/draft#1", "tracer/verify#1") == ["prefill", "draft", "verify"]

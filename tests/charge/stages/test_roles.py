"""Ranges that begin with a model's name."""

from __future__ import annotations

import pytest
from support.chrome import Event, kernel, launch, span, trace_of

from tracer.charge.stages.find import find_stages
from tracer.charge.stages.ranges import StageRanges
from tracer.document.names import ALL_STAGES


def _found(*names: str, patterns: dict[str, str] | None = None) -> StageRanges:
    events: list[Event] = [launch(1, 1, 1), kernel("k", 3, 5, 1)]
    return find_stages(trace_of(*events, *[span(name, 100 * i, 50) for i, name in enumerate(names)]), patterns)


def _rows(found: StageRanges) -> list[tuple[str, str, int]]:
    return [
        (role, ALL_STAGES[stage], index)
        for role, stage, index in zip(found.roles, found.stage.tolist(), found.index.tolist(), strict=True)
    ]


def test_a_name_and_a_stage_are_a_models_stage() -> None:
    found = _found("A/prefill", "A/decode#1", "B/prefill#0", "B/vision")
    assert found.markers == "roles"
    assert _rows(found) == [("A", "prefill", -1), ("A", "decode", 1), ("B", "prefill", 0), ("B", "vision", -1)]


@pytest.mark.parametrize("name", ["a b/prefill", "/prefill", "A/B/prefill", "A/prefills", "A/request", "A/target#0"])
def test_other_names_are_none(name: str) -> None:
    assert _found(name, "A/prefill").markers != "roles"


def test_of_one_name_alone_nothing_tells_that_it_is_a_models() -> None:
    assert not len(_found("truth/prefill", "truth/decode#1", "other/draft#1"))


def test_drafts_alone_are_of_another_grammar() -> None:
    assert not len(_found("T/draft#0", "T/target#0", "U/draft#0"))


def test_a_pattern_may_be_of_one_of_several_models() -> None:
    found = _found("one", "two", patterns={"A/prefill": "one", "B/prefill": "two"})
    assert (found.markers, _rows(found)) == ("pattern", [("A", "prefill", -1), ("B", "prefill", -1)])

"""Why a trace has no stages, and what is said of names that might tell them."""

from __future__ import annotations

import re

import pytest
from support.chrome import Event, kernel, launch, operator, trace_of

from tracer.summarize import Choices, summarize

STEP = "execute_context_0(0)_generation_8(8)"


def _steps(category: str, name: str, *, holding: bool = True) -> list[Event]:
    events = []
    for number in range(1, 5):
        at = 1000 * number
        inner = [operator("aten::mm", at + 5, 20)] if holding else []
        events += [operator(name, at, 900) | {"cat": category}, *inner, launch(at + 10, 5, number)]
        events.append(kernel("gemm", at + 30, 400, number))
    return events


@pytest.mark.parametrize("category", ["Operator", "cpu_op"])
def test_engines_labels_that_are_kept_as_operators_are_named_and_match_a_marker(category: str) -> None:
    trace = trace_of(*_steps(category, STEP))
    (why,) = [one for one in summarize(trace).abstained if one.what == "stages"]
    assert repr(STEP) in why.reason
    assert "--marker decode=REGEX, which match operators too" in why.next_step
    (decode,) = summarize(trace, Choices(patterns={"decode": "^execute_context_0"})).stages
    assert (decode.stage, decode.calls, decode.device_time_ns) == ("decode", 4, 1_600_000)


@pytest.mark.parametrize("name", ["aten::linear", "ProfilerStep#3", "Optimizer.step#SGD.step", "AddBackward0"])
def test_operators_of_libraries_are_no_ranges(name: str) -> None:
    assert not any("kept ranges" in one.reason for one in summarize(trace_of(*_steps("cpu_op", name))).abstained)


def test_a_persons_range_may_have_a_hash_in_its_name() -> None:
    (why,) = [
        one for one in summarize(trace_of(*_steps("Operator", "## forward ##"))).abstained if one.what == "stages"
    ]
    assert "'## forward ##'" in why.reason


def test_an_operator_of_ones_own_that_holds_none_is_no_range() -> None:
    trace = trace_of(*_steps("cpu_op", "my_op", holding=False))
    assert not any("kept ranges" in one.reason for one in summarize(trace).abstained)


@pytest.mark.parametrize(
    ("names", "markers"),
    [
        (("A/prefill", "A/decode#1"), "--marker 'prefill=(?i)prefill' --marker 'decode=(?i)decode'; else"),
        (("Vision tower", "my_Decode_step"), "--marker 'vision=(?i)vision' --marker 'decode=(?i)decode'; else"),
        (("vision", "rest"), ""),
        (("decoder_layer", "prefilled"), ""),
    ],
)
def test_ranges_with_a_stages_word_in_their_names_are_told_which_markers_take_them(
    names: tuple[str, ...], markers: str
) -> None:
    events = [event for number, name in enumerate(names) for event in _steps("user_annotation", name)[number * 4 :]]
    (why,) = [one for one in summarize(trace_of(*events)).abstained if one.what == "stages"]
    assert (markers in why.next_step) is True
    assert ("hold a stage's word" in why.reason) is bool(markers)
    if markers:
        stages = dict(re.findall(r"'(\w+)=(\S+)'", markers))
        assert {one.stage for one in summarize(trace_of(*events), Choices(patterns=stages)).stages} == set(stages)

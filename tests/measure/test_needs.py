from __future__ import annotations

from dataclasses import replace

import pytest
from support.chrome import OTHER, kernel, launch, operator, span, trace_of

from tracer.choices import Choices
from tracer.measure.needs import after_all, at_first, in_the_end
from tracer.trace.columns import Want


@pytest.mark.parametrize(
    ("choices", "want"),
    [
        (Choices(), Want.SUMMARY),
        (Choices(by="stream"), Want.SUMMARY),
        (Choices(by="kernel"), Want.SUMMARY | Want.LAUNCHED),
        (Choices(by="host"), Want.SUMMARY | Want.CPU_OPS | Want.MODULES),
        (Choices(by="layer"), Want.SUMMARY | Want.MODULES),
        (Choices(by="op"), Want.SUMMARY | Want.ASKERS | Want.DETAILS),
        (Choices(by="op", shapes=True), Want.SUMMARY | Want.ASKERS | Want.CPU_OPS | Want.DETAILS),
        (Choices(by="op", patterns={"decode": "x"}), Want.SUMMARY | Want.ASKERS | Want.CPU_OPS | Want.DETAILS),
        (Choices(shapes=True, by="module"), Want.SUMMARY | Want.CPU_OPS | Want.DETAILS | Want.MODULES),
    ],
)
def test_no_more_is_read_than_what_was_asked_for_needs(choices: Choices, want: Want) -> None:
    assert at_first(choices) == want | Want.MODULES_IF_STACKED


def test_operators_are_read_after_all_where_no_device_worked() -> None:
    idle = trace_of(span("tracer/vision", 0, 5), operator("aten::mm", 0, 1))
    assert after_all(idle, Choices()) == Want.CPU_OPS
    assert not after_all(replace(idle, format="nsight"), Choices())  # its reader reads all that there is
    assert not after_all(trace_of(span("tracer/vision", 0, 5), kernel("k", 0, 1)), Choices())


def test_operators_are_read_for_attention_only_where_labels_have_its_sums() -> None:
    plain = span("execute_context_1(5)_generation_0(0)", 0, 5)
    summed = span("execute_5_context_1(sq5sk5sqsq25sqsk25)_generation_0(sq0sk0sqsq0sqsk0)", 0, 5)
    assert not after_all(trace_of(plain, kernel("k", 0, 1)), Choices())
    assert after_all(trace_of(summed, kernel("k", 0, 1)), Choices()) == Want.CPU_OPS | Want.DETAILS


def test_operators_are_read_in_the_end_where_a_launching_thread_has_nothing_on_it_and_there_are_no_stages() -> None:
    bare = [launch(0, 1, 1), kernel("k", 2, 1, 1)]
    assert in_the_end(trace_of(*bare), Choices()) == Want.CPU_OPS
    assert not in_the_end(trace_of(span("forward", 0, 5), *bare), Choices())
    assert not in_the_end(trace_of(span("tracer/vision", 0, 5, tid=OTHER), *bare), Choices())
    assert not in_the_end(replace(trace_of(*bare), format="nsight"), Choices())

from __future__ import annotations

from dataclasses import replace

import pytest
from support.chrome import kernel, operator, span, trace_of

from tracer.choices import Choices
from tracer.measure.needs import after_all, at_first
from tracer.trace.columns import Want


@pytest.mark.parametrize(
    ("choices", "want"),
    [
        (Choices(), Want.SUMMARY),
        (Choices(by="stream"), Want.SUMMARY),
        (Choices(by="layer"), Want.SUMMARY | Want.MODULES),
        (Choices(by="op"), Want.SUMMARY | Want.CPU_OPS | Want.DETAILS),
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

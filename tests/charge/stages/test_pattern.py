"""A person's patterns: where they are looked for, and what is said of those that match nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.chrome import kernel, launch, operator, span, trace_of, write

from tracer.charge.stages.pattern import require_matches
from tracer.document.errors import InputError
from tracer.summarize import Choices, summarize_file
from tracer.trace.columns import Trace


def _refused(trace: Trace, **patterns: str) -> str:
    with pytest.raises(InputError) as raised:
        require_matches(trace, patterns)
    return str(raised.value)


def test_the_nearest_names_come_nearest_first() -> None:
    trace = trace_of(
        *(span(name, at, 1) for at, name in enumerate(("encode_image", "forward_pass", "forward", "load")))
    )
    assert _refused(trace, decode="forwad").endswith(
        "--marker decode=forwad matches no range; the nearest are 'forward', 'forward_pass'"
    )
    assert _refused(trace, vision=r"^encode_imag$").endswith("the nearest is 'encode_image'")


def test_where_none_is_near_the_most_frequent_are_named() -> None:
    trace = trace_of(*(span(name, at, 1) for at, name in enumerate("abbbccdde")))
    assert _refused(trace, decode="zzz").endswith("matches no range; it has 'b', 'c', 'd' and 2 more")


def test_of_several_patterns_each_must_match() -> None:
    trace = trace_of(span("forward", 0, 5))
    assert "--marker vision=encode matches no range" in _refused(trace, decode="forward", vision="encode")
    require_matches(trace, {"decode": "forward", "prefill": "for"})


def test_a_trace_without_ranges_says_that_it_has_none() -> None:
    said = _refused(trace_of(launch(1, 1, 1), kernel("k", 3, 1, 1)), decode="x")
    assert said.endswith("it has no ranges at all (torch.profiler.record_function, NVTX)")


def test_an_error_is_one_line_whatever_the_names_are() -> None:
    message = _refused(trace_of(span("a\n\x1b[31mforward" + "x" * 500, 0, 5)), decode="a.*forwar[z]")
    assert message.isprintable()
    assert len(message) < 300


def _old(path: Path) -> Path:
    """As files of 2021 have it: a range among the operators, none of category `user_annotation`."""
    events = [
        operator("## forward ##", 0, 100) | {"cat": "Operator"},
        operator("aten::mm", 5, 20) | {"cat": "Operator"},
    ]
    return write(path, *events, launch(7, 2, 1) | {"cat": "Runtime"}, kernel("gemm", 20, 50, 1, cat="Kernel"))


def test_a_range_that_was_kept_as_an_operator_is_matched(tmp_path: Path) -> None:
    summary = summarize_file(_old(tmp_path / "old.json"), Choices(patterns={"prefill": "forward"}))
    assert (summary.trace.markers, [(one.stage, one.ops) for one in summary.stages]) == ("pattern", [("prefill", 1)])


def test_a_pattern_for_ranges_and_one_for_operators_hold_together(tmp_path: Path) -> None:
    path = write(
        tmp_path / "both.json", span("encode", 0, 50), launch(10, 2, 1), kernel("a", 20, 5, 1),
        operator("## decode ##", 60, 30), launch(70, 2, 2), kernel("b", 80, 5, 2),
    )  # fmt: skip
    summary = summarize_file(path, Choices(patterns={"vision": "^encode$", "decode": "decode"}))
    assert [(one.stage, one.ops) for one in summary.stages] == [("vision", 1), ("decode", 1)]


def test_operators_are_not_matched_where_a_range_is(tmp_path: Path) -> None:
    path = write(
        tmp_path / "twin.json", span("mm step", 0, 50), launch(10, 2, 1), kernel("a", 20, 5, 1),
        operator("aten::mm", 60, 30), launch(70, 2, 2), kernel("b", 80, 5, 2),
    )  # fmt: skip
    (stage,) = summarize_file(path, Choices(patterns={"decode": "mm"})).stages
    assert (stage.calls, stage.ops) == (1, 1)


def test_neither_range_nor_operator_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--marker decode=forwrd matches no range; the nearest is '## forward ##'"):
        summarize_file(_old(tmp_path / "old.json"), Choices(patterns={"decode": "forwrd"}))

from __future__ import annotations

import pytest
from support.chrome import kernel, launch, operator, span, trace_of
from support.summaries import summary

from reports.asked import Asked
from reports.document import of_comparison
from reports.render.text import render
from tracer.compare.pairs import compare
from tracer.document.comparison import KernelUse, Pair, Total
from tracer.document.summary import Summary
from tracer.summarize import Choices, summarize


def _unmarked(*lengths_us: float, name: str = "gemm") -> Summary:
    events = []
    for number, length in enumerate(lengths_us):
        events += [launch(1000 * number, 1, number + 1), kernel(name, 1000 * number + 5, length, number + 1)]
    return summarize(trace_of(*events), Choices(by="kernel"))


def _pair(before: Summary, after: Summary) -> Pair:
    (pair,) = compare([before, after]).pairs
    return pair


def test_traces_without_stages_are_compared_by_their_totals() -> None:
    pair = _pair(_unmarked(100, 100), _unmarked(100, 150))
    assert pair.totals[:3] == [
        Total(of="ops", before=2, after=2, ratio=1.0),
        Total(of="device time", before=200_000, after=250_000, ratio=1.25),
        Total(of="busy", before=200_000, after=250_000, ratio=1.25),
    ]
    assert [total.of for total in pair.totals] == ["ops", "device time", "busy", "idle"]
    assert pair.rows == []
    assert pair.notes[-1].startswith("neither trace has stages")


def test_and_by_their_kernels() -> None:
    pair = _pair(_unmarked(100, 100), _unmarked(100, 150))
    (change,) = pair.kernels
    assert (change.stage, change.name, change.change, change.delta_ns) == ("", "gemm", "slower", 50_000)
    assert change.before == KernelUse(count=2, time_ns=200_000)
    assert {one.change for one in _pair(_unmarked(9), _unmarked(9, name="gemv")).kernels} == {"appeared", "vanished"}
    assert _pair(_unmarked(9), _unmarked(9)).same_kernels == 1


@pytest.mark.parametrize(
    ("after", "change"),
    [
        ([100] * 5, "more often"),  # a longer recording of the same
        ([100], "less often"),
        ([50] * 9, "faster"),  # in more time altogether
        ([150], "slower"),
        ([100, 100.5], ""),
    ],
)
def test_a_kernel_of_a_longer_recording_is_slower_only_where_a_call_of_it_is(after: list[float], change: str) -> None:
    found = _pair(_unmarked(100, 100), _unmarked(*after)).kernels
    assert [one.change for one in found] == [change] * bool(change)
    if change:
        assert found[0].delta_ns == (sum(after) - 200) * 1000


def test_the_report_counts_what_ran_more_often_and_says_that_calls_are_compared() -> None:
    text = " ".join(render(of_comparison(compare([_unmarked(100, 100), _unmarked(*[100] * 5)]), Asked())).split())
    assert "0 slower, 0 faster, 1 more often, 0 less often, 0 alike" in text
    assert "slower, faster: of one call, on average" in text


def test_a_trace_with_stages_beside_one_without_is_compared_so_too() -> None:
    pair = _pair(_unmarked(100), summary())
    assert [total.of for total in pair.totals] == ["ops", "device time", "busy", "idle"]
    assert pair.notes[-1] == (
        "one trace has no stages: their totals and kernels are compared, of whatever each recorded; tracer summarize "
        "--marker names stages, and what it saves by --format json can be compared"
    )


def test_traces_with_stages_need_no_totals() -> None:
    assert _pair(summary(), summary()).totals == []


def test_of_a_cpu_the_operators_are_added_up() -> None:
    trace = summarize(trace_of(operator("aten::mm", 1, 50)))
    assert _pair(trace, trace).totals == [
        Total(of="ops", before=1, after=1, ratio=1.0),
        Total(of="operator time", before=50_000, after=50_000, ratio=1.0),
    ]


def _served(batch: int, length_us: float, label: str = "step[DECODE bs={}]") -> Summary:
    events = [
        event
        for k in range(4)
        for event in (
            span(label.format(batch), 100 * k, 90),
            launch(100 * k, 1, k + 1),
            kernel("gemm", 100 * k + 2, length_us, k + 1),
        )
    ]
    return summarize(trace_of(*events))


@pytest.mark.parametrize(("batch", "said"), [(44, []), (45, ["1.78 µs"]), (160, ["500 ns"])])
def test_steps_of_a_server_that_hold_other_batches_are_not_alike(batch: int, said: list[str]) -> None:
    notes = [note for note in _pair(_served(40, 40), _served(batch, 80)).notes if "holds" in note]
    assert notes == [
        f"the median decode step holds 40 sequences (1.00 µs a token) in inline.json, {batch} sequences ({each} a "
        "token) in inline.json: times of steps that hold other batches are not alike; record both under one load"
        for each in said
    ]


def test_steps_of_which_no_label_says_what_they_held_are_compared_as_they_are() -> None:
    pair = _pair(_served(1, 40, "step[MIXED bs={}]"), _served(9, 80, "step[MIXED bs={}]"))
    assert not any("holds" in note for note in pair.notes)
    assert not any("holds" in note for note in _pair(_served(40, 40), _unmarked(5)).notes)

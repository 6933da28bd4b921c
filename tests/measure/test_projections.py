"""nsys's own figures for ranges, against their definition spelled out."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from support.nsight import MAIN, OTHER, Export

from tracer.charge.stages.ranges import StageRanges
from tracer.charge.work import work_of_ops
from tracer.measure.projections import project
from tracer.summarize import Choices, summarize
from tracer.trace.columns import OpKind

Interval = tuple[int, int]


def _figures(export: Export) -> dict[str, tuple[int, int]]:
    rows = summarize(export.trace(), Choices(all_ranges=True)).ranges
    return {row.name: (row.projected_ns, row.kernel_ns) for row in rows}


def test_a_span_has_its_gaps_and_a_sum_has_not() -> None:
    export = Export().span("outer", 0, 100).span("inner", 10, 30).call(10, 20, 1).call(40, 50, 2)
    export.kernel("k", 100, 110, 1).copy(150, 170, 2)
    assert _figures(export) == {"outer": (70, 10), "inner": (10, 10)}


def test_a_call_must_lie_inside_with_both_ends() -> None:
    export = Export().span("touches", 10, 20).span("ends before", 10, 19).span("begins behind", 11, 20)
    export.call(10, 20, 1).kernel("k", 100, 110, 1)
    assert _figures(export) == {"touches": (10, 10), "ends before": (0, 0), "begins behind": (0, 0)}


def test_nested_ranges_of_one_name_count_again() -> None:
    export = Export().span("n", 0, 100).span("n", 10, 30).call(10, 20, 1).kernel("k", 100, 110, 1)
    assert _figures(export) == {"n": (20, 20)}


def test_other_threads_do_not_count() -> None:
    export = Export().span("n", 0, 100, thread=OTHER).call(10, 20, 1, thread=MAIN).kernel("k", 100, 110, 1)
    assert _figures(export) == {"n": (0, 0)}


_intervals = st.tuples(st.integers(0, 40), st.integers(0, 20)).map(lambda pair: (pair[0], pair[0] + pair[1]))

# A kernel of no length has no usable time.
_ran = _intervals.map(lambda interval: (interval[0], max(interval[1], interval[0] + 1)))


@given(
    spans=st.lists(st.tuples(_intervals, st.sampled_from([MAIN, OTHER])), max_size=8),
    launches=st.lists(
        st.tuples(_intervals, _ran, st.sampled_from([MAIN, OTHER]), st.booleans()), max_size=12
    ),
)  # fmt: skip
def test_they_equal_the_definition(
    spans: list[tuple[Interval, int]], launches: list[tuple[Interval, Interval, int, bool]]
) -> None:
    export = Export()
    for (start, end), thread in spans:
        export.span("n", start, end, thread)
    for number, ((start, end), (op_start, op_end), thread, is_kernel) in enumerate(launches, start=1):
        export.call(start, end, number, thread=thread)
        add = partial(export.kernel, "k") if is_kernel else export.copy
        add(100 + op_start, 100 + op_end, number)
    trace = export.trace()
    found = project(work_of_ops(trace, StageRanges.none()), trace.ranges)
    for place, ((low, high), thread) in enumerate(spans):
        inside = [
            (op, is_kernel)
            for (start, end), op, other, is_kernel in launches
            if other == thread and low <= start and end <= high
        ]
        span = max(op[1] for op, _ in inside) - min(op[0] for op, _ in inside) if inside else 0
        kernels = sum(op[1] - op[0] for op, is_kernel in inside if is_kernel)
        assert (found.span_ns[place], found.kernel_ns[place]) == (span, kernels)


def test_whole_graphs_are_left_out_as_in_the_reports() -> None:
    export = Export().span("n", 0, 100).call(10, 20, 1, "cudaGraphLaunch_v10000").graph(20, 90, 1)
    assert export.trace().ops.kind.tolist() == [OpKind.GRAPH]
    assert _figures(export) == {"n": (0, 0)}

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from support.strategies import gpu_traces

from tracer.arrays import int64
from tracer.charge.stages.find import find_stages
from tracer.charge.work import work_of
from tracer.perfetto.spans import MOST_PARTS, Part, device_spans, nested
from tracer.summarize import summarize
from tracer.trace.columns import Trace

intervals = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 15)).map(lambda two: (two[0], sum(two))), max_size=12)


def _parts(spans: list[tuple[int, int]]) -> list[Part]:
    return list(nested(int64([start for start, _ in spans]), int64([end for _, end in spans])))


@given(intervals)
def test_parts_nest_or_lie_apart_in_the_order_in_which_perfetto_takes_them(spans: list[tuple[int, int]]) -> None:
    around: list[int] = []
    before = 0
    for part in _parts(spans):
        assert part.start_ns >= before
        before = part.start_ns
        while around and around[-1] <= part.start_ns:
            around.pop()
        assert not around or part.end_ns <= around[-1]
        around.append(part.end_ns)


@given(intervals)
def test_the_parts_of_a_span_are_the_span(spans: list[tuple[int, int]]) -> None:
    found: dict[int, list[Part]] = {}
    for part in _parts(spans):
        found.setdefault(part.span, []).append(part)
    assert sorted(found) == list(range(len(spans)))
    for span, parts in found.items():
        assert [part.number for part in parts] == list(range(len(parts)))
        assert [part.end_ns for part in parts[:-1]] == [part.start_ns for part in parts[1:]]
        assert (parts[0].start_ns, parts[-1].end_ns) == spans[span]


def test_spans_that_nest_or_touch_are_whole() -> None:
    assert [part.number for part in _parts([(0, 10), (2, 5), (5, 10), (10, 12)])] == [0, 0, 0, 0]


def test_a_span_that_crosses_the_one_before_goes_on_behind_it() -> None:
    assert _parts([(0, 10), (5, 15)]) == [Part(0, 0, 10, 0), Part(1, 5, 10, 0), Part(1, 10, 15, 1)]


def test_what_crosses_hundreds_of_others_is_drawn_in_few_parts() -> None:
    crossing = [(start, 1000 + start) for start in range(300)]
    assert len(_parts(crossing)) <= MOST_PARTS * len(crossing)


@settings(deadline=None)
@given(gpu_traces())
def test_spans_add_up_to_the_stages_of_the_summary(trace: Trace) -> None:
    ranges = find_stages(trace)
    spans = device_spans(work_of(trace, ranges))
    for stage in summarize(trace).stages:
        own = [row for row in range(len(spans.stage)) if _name(ranges.stage[spans.stage[row]]) == stage.stage]
        assert int(spans.ops[own].sum()) == stage.ops
        if stage.device_time_ns is None:
            continue  # some of its work was not recorded
        assert int(spans.time_ns[own].sum()) == stage.device_time_ns
        assert int(spans.busy_ns[own].sum()) == stage.busy_ns
        idle = sum(
            int(column[own].sum()) for column in (spans.host_ns, spans.sync_ns, spans.launch_ns, spans.unknown_ns)
        )
        assert stage.idle_ns is None or idle == stage.idle_ns  # unknown where lost work may have run


def _name(code: int) -> str:
    from tracer.document.names import ALL_STAGES

    return ALL_STAGES[code]

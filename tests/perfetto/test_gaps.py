from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from support.chrome import call, kernel, launch, span, trace_of
from support.strategies import gpu_traces

from tracer.arrays import int64
from tracer.charge.intervals import distinct
from tracer.charge.stages.find import find_stages
from tracer.charge.work import Work, work_of
from tracer.perfetto.gaps import CAUSES, Gaps, gaps
from tracer.trace.columns import Trace


def _work(trace: Trace) -> Work:
    return work_of(trace, find_stages(trace))


def _drawn(found: Gaps) -> list[tuple[str, int, int]]:
    causes = [CAUSES[cause] for cause in found.cause]
    return list(zip(causes, found.start_ns.tolist(), found.end_ns.tolist(), strict=True))


def test_a_gap_is_cut_where_its_op_was_asked_for() -> None:
    trace = trace_of(
        span("tracer/prefill", 0, 50), launch(1, 1, 1), kernel("a", 5, 5, 1), launch(14, 1, 2), kernel("b", 20, 5, 2)
    )
    assert _drawn(gaps(_work(trace), int64([0, 1]))) == [("host", 10_000, 14_000), ("launch", 14_000, 20_000)]


def test_what_the_host_waited_for_is_called_so_and_both_are_in_figures() -> None:
    trace = trace_of(
        span("tracer/prefill", 0, 50), launch(1, 1, 1), kernel("a", 5, 5, 1), call("cudaDeviceSynchronize", 4, 13),
        launch(20, 1, 2), kernel("b", 20, 5, 2),
    )  # fmt: skip
    found = gaps(_work(trace), int64([0, 1]))
    assert _drawn(found) == [("sync", 10_000, 20_000)]
    assert found.causes_ns.tolist() == [[3_000, 7_000, 0, 0, 0]]


def test_a_gap_between_requests_is_nobodys() -> None:
    trace = trace_of(
        span("tracer/prefill", 0, 10), launch(1, 1, 1), kernel("a", 2, 3, 1),
        span("tracer/prefill", 30, 10), launch(31, 1, 2), kernel("b", 32, 5, 2),
    )  # fmt: skip
    found = gaps(_work(trace), int64([0, 1]))
    assert _drawn(found) == [("between requests", 5_000, 31_000), ("launch", 31_000, 32_000)]
    assert found.causes_ns[0].tolist() == [6_000, 0, 0, 0, 20_000]


@settings(deadline=None)
@given(gpu_traces())
def test_gaps_lie_apart_and_add_up_to_the_idle_time_by_cause(trace: Trace) -> None:
    work = _work(trace)
    columns = (work.host_ns, work.sync_ns, work.launch_ns, work.unknown_ns, work.between_ns)
    for device in distinct(work.device):
        rows = int64(np.flatnonzero(work.device == device))
        found = gaps(work, rows)
        assert (found.start_ns[1:] >= found.end_ns[:-1]).all()
        assert (found.causes_ns.sum(axis=1) == found.end_ns - found.start_ns).all()
        assert (found.causes_ns >= 0).all()
        assert found.causes_ns.sum(axis=0).tolist() == [int(column[rows].sum()) for column in columns]

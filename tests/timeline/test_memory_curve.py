"""Memory over time: what is drawn is in the trace, its highest is kept, and what is left out is said."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.chrome import Event, document, kernel, launch, read_bytes, span

from reports.page.over_time import memory_over_time
from reports.page.shown import Shown
from tracer.choices import Choices
from tracer.document.timeline import MemoryCurve
from tracer.summarize import charge, summarize_charged
from tracer.timeline.draw import Most, timeline_of
from tracer.timeline.memory import MOST_BANDS, MOST_CELLS, telling
from tracer.trace.columns import Want

WORK = [launch(1, 1, 1), kernel("k", 3, 100, 1)]
STAGES = [span("tracer/prefill", 0, 20), span("tracer/decode#1", 30, 10), span("tracer/decode#2", 40, 10)]


def event(at: float, size: int, total: int) -> Event:
    args: dict[str, Any] = {"Bytes": size, "Device Type": 1, "Device Id": 0, "Addr": 1, "Total Allocated": total}
    place = {"ph": "i", "cat": "cpu_instant_event", "s": "t", "name": "[memory]", "pid": 100, "tid": 1}
    return {**place, "ts": at, "args": args | {"Total Reserved": total}}


def _shown(*events: Event) -> Shown:
    charged = charge(read_bytes(document(*events, *WORK), Want.SUMMARY | Want.MEMORY), Choices())
    found = summarize_charged(charged, Choices())
    return Shown(0, found, timeline_of(charged, found, Most()))


def _curve(shown: Shown) -> MemoryCurve:
    assert shown.timeline is not None
    (curve,) = shown.timeline.memory
    return curve


def test_a_curve_has_each_change_and_the_stages_meanwhile() -> None:
    curve = _curve(_shown(*STAGES, event(5, 50, 150), event(25, 100, 250), event(28, -100, 150)))
    assert (curve.before_bytes, curve.total_bytes, curve.changes) == (100, [150, 250, 150], 3)
    assert np.diff(curve.times_ns).tolist() == [20_000, 3_000]
    assert curve.times_ns[0] - curve.start_ns == 5_000
    # Steps that follow each other are one band.
    bands = [(band.stage, band.start_ns - curve.start_ns, band.end_ns - curve.start_ns) for band in curve.bands]
    assert bands == [("prefill", 0, 20_000), ("decode", 30_000, 50_000)]


def test_the_peak_is_marked_where_it_was_first_reached() -> None:
    drawn = memory_over_time(_shown(*STAGES, event(10, 50, 50), event(25, 100, 250), event(40, 0, 250)))
    assert "peak 250 B, 25.0 µs from the left" in drawn
    assert '<line class="peak" x1="50.000%"' in drawn
    assert "0 to 250 B upwards" in drawn
    assert re.findall(r'<rect class="band fill stage-(\w+)" x="([\d.]+)%" width="([\d.]+)%"', drawn) == [
        ("prefill", "0.000", "40.000"),
        ("decode", "60.000", "40.000"),
    ]


def test_where_most_of_it_never_changes_the_bottom_is_not_nought_and_says_so() -> None:
    events = (event(10, 2_000_000, 12_000_000), event(25, -2_000_000, 10_000_000))
    assert "9.90 MB, not 0, to 12.0 MB upwards" in memory_over_time(_shown(*STAGES, *events))


def test_a_trace_without_allocations_has_no_curve() -> None:
    shown = _shown(*STAGES)
    assert shown.timeline is not None
    assert (shown.timeline.memory, memory_over_time(shown)) == ([], "")
    assert memory_over_time(replace(shown, timeline=None)) == ""


def test_of_many_changes_it_is_said_how_many_are_drawn() -> None:
    sizes = [1 if i % 2 else 3 for i in range(3 * MOST_CELLS)]
    shown = _shown(*STAGES, *(event(5 + i / 100, 1, size) for i, size in enumerate(sizes)))
    curve = _curve(shown)
    assert len(curve.times_ns) <= 2 * MOST_CELLS + 2
    assert f"{len(curve.times_ns):,} of 3,000 changes" in memory_over_time(shown)


def test_of_many_stages_the_shortest_are_not_shaded_which_is_said() -> None:
    many = [span(("tracer/prefill", f"tracer/decode#{i}")[i % 2], 20 * i, 10) for i in range(MOST_BANDS + 7)]
    shown = _shown(*many, event(5, 50, 150))
    assert (len(_curve(shown).bands), _curve(shown).bands_left_out) == (MOST_BANDS, 7)
    assert "7 shortest ranges of stages not shaded" in memory_over_time(shown)


@given(st.lists(st.tuples(st.integers(0, 1 << 60), st.integers(0, 1 << 50)), min_size=1, max_size=60))
def test_a_line_keeps_its_ends_its_highest_and_its_lowest_within_bounds(points: list[tuple[int, int]]) -> None:
    points.sort()
    time_ns, values = np.array(points, dtype=np.int64).T
    rows = telling(time_ns, values, cells=5)
    assert len(rows) <= 12
    assert sorted(set(rows.tolist())) == rows.tolist()
    assert {0, len(points) - 1, int(values.argmax()), int(values.argmin())} <= {*rows.tolist(), *_equal(values, rows)}
    assert (values[rows].max(), values[rows].min()) == (values.max(), values.min())


def _equal(values: Any, rows: Any) -> set[int]:
    """Rows whose value another that is kept has, so that either may stand for it."""
    return {row for row in range(len(values)) if values[row] in values[rows]}

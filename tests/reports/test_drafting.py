from __future__ import annotations

import pytest

from reports.blocks import Line, Table
from reports.parts.drafting import MOST_COLUMNS, MOST_ROWS, _sweep
from tracer.document.summary import Drafting, SweepRow, WayRow


def _found(ks: int, acceptances: int) -> Drafting:
    way = WayRow(
        way="sequential", requests=1, vision_ns=1, prefill_ns=1, ttft_ns=2, decoding_ns=3, decoding_low_ns=None,
        decoding_high_ns=None, request_ns=5, tokens=2, decoding_speedup=1.5,
    )  # fmt: skip
    sweep = [
        SweepRow(drafted=1 + k, acceptance=[one / 1000] * 50, measured=way)
        for k in range(ks)
        for one in range(acceptances)
    ]
    return Drafting(
        draft="d", size="", weights="random", device="cpu", drafted=1, schedule="sequential", mapping="same",
        acceptance=[], seed=0, target_step_ns=None, ways=[], sweep=sweep,
    )  # fmt: skip


@pytest.mark.parametrize(("ks", "acceptances", "said"), [(40, 1, True), (1, 40, True), (32, 12, False)])
def test_a_sweep_draws_no_more_than_somebody_reads_and_says_what_it_leaves_out(
    ks: int, acceptances: int, said: bool
) -> None:
    parts = _sweep(_found(ks, acceptances))
    (table,) = [one for one in parts if isinstance(one, Table)]
    assert len(table.columns) == 1 + min(acceptances, MOST_COLUMNS)
    assert len(table.rows) == min(ks, MOST_ROWS)
    assert any("--format json has all" in str(one) for one in parts if isinstance(one, Line)) == said

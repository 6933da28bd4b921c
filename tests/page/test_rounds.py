"""Rounds on the page."""

from __future__ import annotations

from support.chrome import kernel, launch, span, trace_of
from support.rounds import rounds

from reports.page.rounds import MOST, round_bars
from reports.page.shown import Shown
from tracer.document.summary import Summary
from tracer.summarize import summarize


def _bars(summary: Summary) -> str:
    return round_bars(Shown(number=0, summary=summary, timeline=None))


def test_each_part_of_a_round_is_as_long_as_it_took() -> None:
    drawn = _bars(summarize(trace_of(*rounds([(2, 2), (2, 0)], mapping=5))))
    # Two rounds and their mean of 20 + 5 + 40 µs; the target would take 60 for their two tokens a round.
    assert drawn.count('<rect class="fill stage-draft" x="0.000%" width="30.769%"') == 3
    assert drawn.count('<rect class="fill stage-map" x="30.769%" width="7.692%"') == 3
    assert drawn.count('<rect class="fill stage-verify" x="38.462%" width="61.538%"') == 3
    assert '<rect class="fill request" x="0.000%" width="92.308%"' in drawn
    assert "0 of 2 accepted" in drawn


def test_of_many_rounds_the_first_are_drawn() -> None:
    drawn = _bars(summarize(trace_of(*rounds([(1, 1)] * (MOST + 1)))))
    assert f"The first {MOST} of {MOST + 1} rounds are drawn." in drawn
    assert drawn.count("stage-verify") == MOST + 1


def test_without_rounds_nothing_is_drawn() -> None:
    assert _bars(summarize(trace_of(span("tracer/prefill", 0, 9), launch(1, 1, 1), kernel("k", 3, 5, 1)))) == ""

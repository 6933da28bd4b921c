"""Joules in the document, in the report, on the page, in comparisons and budgets."""

from __future__ import annotations

import pytest
from msgspec import UNSET
from support.held import energy, memory, recorded, run_energy

from reports.document import of_comparison, of_summary
from reports.page.held import memory_and_energy
from reports.page.shown import Shown
from reports.parts.energy import joules
from reports.parts.gates import sentence
from reports.render.text import render
from tracer.compare.gates import check_budgets, parse_budget
from tracer.compare.pairs import compare
from tracer.document.errors import UsageError
from tracer.document.recorded_energy import RecordedEnergy
from tracer.document.summary import Energy, Joules, Summary
from tracer.document.summary import decode as decode_summary
from tracer.document.summary import encode as encode_summary


def _energy(summary: Summary) -> Energy:
    assert isinstance(summary.energy, Energy)
    return summary.energy


def _text(summary: Summary) -> str:
    return " ".join(render(of_summary(summary), width=200).split())


def test_a_stage_has_the_joules_of_one_request_and_a_token_those_of_its_step() -> None:
    summary = recorded(used=energy())
    assert decode_summary(encode_summary(summary)) == summary
    found = _energy(summary)
    stages = {one.stage: one.energy for one in summary.stages if isinstance(one.energy, Joules)}
    assert {stage: (one.joules, one.interval) for stage, one in stages.items()} == {
        "vision": (10, (9.8, 10.2)), "decode": (6, (5.88, 6.12)),
    }  # fmt: skip
    assert found.per_token == Joules(joules=2, interval=(1.96, 2.04))
    assert found.per_request == Joules(joules=20, interval=(19.6, 20.4))
    decode = next(one for one in found.stages if one.stage == "decode")
    assert decode.watts == pytest.approx(200)
    assert decode.above_idle_joules == pytest.approx(3)
    text = _text(summary)
    assert "2.00 J per token · 20.0 J per request · 100 W with nothing to do" in text
    assert "decode 6.00 J 5.88 J – 6.12 J 30.0% 3.00 J 200 W 10.0 ms 50" in text


@pytest.mark.parametrize(("idle_mw", "above"), [(97_000, 0.3), (98_000, None), (101_000, None)])
def test_what_lies_within_the_interval_of_doing_nothing_is_no_energy_above_it(
    idle_mw: int, above: float | None
) -> None:
    """10 J, 9.8 at least, in 100 ms."""
    summary = recorded(used=energy(idle_mw=idle_mw, stages=[run_energy("vision", 10_000_000, 100_000_000)]))
    assert _energy(summary).stages[0].above_idle_joules == (None if above is None else pytest.approx(above))


def test_a_batch_shares_a_step_among_its_sequences() -> None:
    found = _energy(recorded(used=energy(tokens=12)))
    assert found.per_token == Joules(joules=0.5, interval=(0.49, 0.51))


def test_clocks_and_heat_are_those_of_the_passes() -> None:
    summary = recorded(used=energy())
    (condition,) = _energy(summary).conditions
    assert (condition.during, condition.readings, condition.sm_mhz, condition.least_sm_mhz, condition.celsius) == (
        "profiled", 3, 1880, 1780, 62,
    )  # fmt: skip
    assert condition.limited_by == ["heat"]
    assert "profiled: 1,880 MHz, at least 1,780, up to 62 °C, limited by heat" in _text(summary)


def test_what_the_counter_did_not_tell_is_unknown_and_said() -> None:
    summary = recorded(used=energy())
    assert summary.stages[1].energy is UNSET
    assert [(one.what, one.reason) for one in summary.abstained if "energy" in one.what] == [
        ("energy of prefill", "too short")
    ]
    assert "prefill unknown" in _text(summary)


def test_without_a_counter_one_line_says_why_and_nobody_who_did_not_ask_hears_of_it() -> None:
    refused = recorded(used=RecordedEnergy(source="", reason="no counter", next_step="get one"))
    assert refused.energy is UNSET
    assert [(one.what, one.reason, one.next_step) for one in refused.abstained if one.what == "energy"] == [
        ("energy", "no counter", "get one")
    ]
    silent = recorded()
    assert silent.energy is UNSET
    assert "energy" not in _text(silent)
    assert memory_and_energy(Shown(0, silent, None)) == ""


def test_a_page_has_a_bar_for_each_energy_that_is_known() -> None:
    drawn = memory_and_energy(Shown(0, recorded(used=energy()), None))
    assert drawn.count('class="barrow"') == 3
    assert drawn.count('class="whisker"') == 3
    assert "9.80 J – 10.2 J · 333 W" in drawn


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0000005, "0 µJ"), (0.00051, "510 µJ"), (0.0456, "45.6 mJ"), (1.234, "1.23 J"), (4560, "4.56 kJ")],
)
def test_joules_as_people_read_them(value: float, text: str) -> None:
    assert joules(value) == text


@pytest.mark.parametrize(
    ("text", "value", "passed"),
    [
        ("joules/token<=2", 2, True), ("joules/token <= 1999 mJ", 2, False), ("joules/request<=20J", 20, True),
        ("joules/vision<=9.9", 10, False), ("joules/decode<=6", 6, True),
    ],
)  # fmt: skip
def test_budgets_of_energy(text: str, value: float, passed: bool) -> None:
    (gate,) = check_budgets(recorded(used=energy()), [parse_budget(text)])
    assert (gate.value, gate.passed, gate.kind) == (pytest.approx(value), passed, "energy")
    if not passed:
        assert f"takes {joules(value)}; --budget {text}" in sentence(gate)


def test_a_budget_on_an_energy_that_is_unknown_cannot_be_judged() -> None:
    for summary, text, why in (
        (recorded(), "joules/token<=2", "its energy was not measured"),
        (recorded(used=energy()), "joules/prefill<=2", "too short"),
        (recorded(used=energy()), "joules/verify<=2", "its energy was not measured"),
        (recorded(used=RecordedEnergy(source="", reason="no counter", next_step="x")), "joules/token<=2", "no counter"),
    ):
        (gate,) = check_budgets(summary, [parse_budget(text)])
        assert (gate.value, gate.passed) == (None, False)
        assert "cannot be judged" in sentence(gate)
        assert why in sentence(gate)


@pytest.mark.parametrize(
    "text", ["joules<=2", "joules/tpot<=2", "joules/token<=2%", "joules/token<=2ms", "joules/x<=2"]
)
def test_a_budget_of_energy_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="joules/NAME"):
        parse_budget(text)


def test_two_runs_have_their_joules_and_peaks_beside_each_other_and_no_verdict() -> None:
    before = recorded(memory(), energy())
    after = recorded(memory(), energy(stages=[run_energy("vision", 12_000_000, 30_000_000)]))
    comparison = compare([before, after])
    rows = {row.of: row for row in comparison.pairs[0].beside}
    vision = rows["joules/vision"]
    assert (vision.before, vision.after, vision.ratio) == (10, 12, pytest.approx(1.2))
    assert (vision.low_ratio, vision.high_ratio) == (pytest.approx(11.76 / 10.2), pytest.approx(12.24 / 9.8))
    assert (rows["joules/token"].before, rows["joules/token"].after, rows["joules/token"].ratio) == (2, None, None)
    assert (rows["peak/prefill"].before, rows["peak/prefill"].ratio, rows["peak/prefill"].low_ratio) == (16e9, 1, None)
    text = " ".join(render(of_comparison(comparison), width=160).split())
    assert "joules/vision 10.0 J 12.0 J × 1.200 1.153 – 1.249" in text
    assert "Each was measured once: nothing is tested" in text
    assert compare([recorded(), recorded()]).pairs[0].beside == []

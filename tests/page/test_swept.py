"""A sweep on the page."""

from __future__ import annotations

import msgspec
from support.chrome import kernel, trace_of

from reports.page.sections import SECTIONS, rest
from reports.page.shown import Shown
from reports.page.swept import sweep_grid
from reports.parts import drafting
from tracer.document.summary import Drafting, SweepRow, WayRow
from tracer.summarize import summarize

WAY = WayRow(
    way="k", requests=1, vision_ns=1, prefill_ns=1, ttft_ns=2, decoding_ns=3, decoding_low_ns=None,
    decoding_high_ns=None, request_ns=5, tokens=2,
)  # fmt: skip


def _shown(gains: dict[tuple[int, float], float | None]) -> Shown:
    sweep = [
        SweepRow(drafted=k, acceptance=[share], measured=msgspec.structs.replace(WAY, decoding_speedup=gain))
        for (k, share), gain in gains.items()
    ]
    found = Drafting(
        draft="d", size="", weights="random", device="cpu", drafted=1, schedule="sequential", mapping="same",
        acceptance=[], seed=0, target_step_ns=None, ways=[], sweep=sweep,
    )  # fmt: skip
    summary = msgspec.structs.replace(summarize(trace_of(kernel("k", 0, 1))), drafting=found)
    return Shown(number=0, summary=summary, timeline=None)


def test_each_point_of_a_sweep_is_a_cell_that_says_whether_drafting_pays() -> None:
    drawn = sweep_grid(_shown({(1, 0.1): 0.5, (1, 0.9): 2.0, (2, 0.1): 1.0, (2, 0.9): 4.0}))
    # Twice as fast is half of what most is, in doublings; as fast as before is no gain.
    assert '<rect class="costs" x="0.000%" width="50.000%" y="1" height="22" fill-opacity="0.57">' in drawn
    assert '<rect class="pays" x="50.000%" width="50.000%" y="1" height="22" fill-opacity="1.00">' in drawn
    assert (drawn.count('class="pays"'), drawn.count('class="costs"')) == (2, 2)
    assert drawn.index("k = 1") < drawn.index("<b>2.00 x</b> <small>at 90%</small>") < drawn.index("k = 2")


def test_what_a_sweep_did_not_measure_is_no_cell() -> None:
    drawn = sweep_grid(_shown({(1, 0.1): None, (1, 0.9): 2.0, (2, 0.1): 3.0}))
    assert drawn.count("<rect") == 2


def test_without_a_sweep_nothing_is_drawn() -> None:
    assert sweep_grid(_shown({})) == ""
    assert sweep_grid(Shown(number=0, summary=summarize(trace_of(kernel("k", 0, 1))), timeline=None)) == ""


def test_the_ways_of_two_models_stand_beside_their_rounds() -> None:
    (section,) = [one for one in SECTIONS if drafting.part in one.parts]
    assert section.id == "rounds"
    assert drafting.part not in rest()
    assert section.has(_shown({}).summary)

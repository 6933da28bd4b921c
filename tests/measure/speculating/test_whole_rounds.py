"""Rounds of a pass without a profiler that had room for all that they were to draft."""

from __future__ import annotations

from typing import Any

import pytest
from support.chrome import trace_of
from support.manifests import manifest
from support.rounds import rounds

from tracer.document.manifest import TARGET_ALONE, Cell, Drafting, Latencies, Way
from tracer.measure.speculating.drafting import drafting, with_clean
from tracer.summarize import summarize

K = 1_000


def _way(*requests: tuple[list[int], list[int]], drafted: int, name: str = "k") -> Way:
    """Times and tokens of the rounds of each request."""
    latencies = [
        Latencies(load_ns=0, preprocess_ns=0, vision_ns=1, prefill_ns=1, decode_ns=times, step_tokens=tokens)
        for times, tokens in requests
    ]
    counts = [len(times) for times, _ in requests]
    return Way(
        name=name, requests=latencies, rounds=counts, drafted=[drafted] * len(counts), accepted=[0] * len(counts)
    )


def _round(way: Way, tokens: int) -> tuple[int | None, int]:
    fields: dict[str, Any] = {
        "draft": {},
        "device": "cpu",
        "tokens": 2,
        "schedule": "sequential",
        "mapping": "shared ids",
    }
    found = drafting(manifest([], drafting=Drafting(**fields, sweep=[Cell(tokens=tokens, acceptance=[], way=way)])))
    assert found is not None
    return found.sweep[0].measured.round_ns, found.sweep[0].measured.whole_rounds


def test_the_first_round_and_those_that_the_answers_end_cut_short_are_left_out() -> None:
    # Of 10 tokens token 0 is prefill's: rounds of 3 have room where 4 are left.
    rounds = [900, 40, 60, 7], [3, 1, 4, 1]
    assert _round(_way(rounds, rounds, drafted=9), 3) == (50, 4)
    assert _round(_way(([900, 40], [3, 1]), drafted=3), 3) == (None, 0)


def test_where_a_mapping_cut_drafts_no_time_is_of_that_many() -> None:
    rounds = [900, 40, 60, 7], [3, 1, 4, 1]
    assert _round(_way(rounds, drafted=8), 3) == (None, 0)


def test_one_model_has_no_rounds() -> None:
    way = Way(name="k", requests=_way(([5, 6], [1, 1]), drafted=0).requests)
    assert _round(way, 1) == (None, 0)


@pytest.mark.parametrize(("drafted", "a_round"), [(14, 2.5), (7, 1.25)])
def test_break_even_is_of_what_the_rounds_drafted_whose_time_it_rests_on(drafted: int, a_round: float) -> None:
    """Ten tokens in rounds of four: they have room for 4, 4, 4, 2 and 0, of which the first is left out; or half."""
    own = _way(([9_000, 150, 150, 150, 150], [2, 2, 2, 2, 1]), drafted=drafted, name="sequential")
    alone = _way(([100] * 9, []), drafted=0, name=TARGET_ALONE)
    fields: dict[str, Any] = {"draft": {}, "device": "cpu", "tokens": 4, "schedule": "sequential", "mapping": "ids"}
    said = manifest(own.requests, drafting=Drafting(**fields, ways=[alone, own]))
    found = with_clean(summarize(trace_of(*rounds([(2, 1)] * 3))).speculation, said, drafting(said))
    assert found is not None
    assert found.break_even_acceptance == pytest.approx((150 / 100 - 1) / a_round)
    # Seven tokens in four rounds, and six in the trace's.
    assert found.speedup == pytest.approx(100 / (600 / 7))
    assert (found.target_alone_ns, found.clean_took_ns) == (600, round(600 / 7 * 6))

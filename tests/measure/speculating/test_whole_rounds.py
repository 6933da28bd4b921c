"""Rounds of a pass without a profiler that had room for all that they were to draft."""

from __future__ import annotations

from typing import Any

from support.manifests import manifest

from tracer.document.manifest import Cell, Drafting, Latencies, Way
from tracer.measure.speculating.drafting import drafting

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

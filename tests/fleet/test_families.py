"""What is called slower or faster was tested together with all else, by runs that are alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.compare.verdicts import ERROR_RATE, FASTER, SLOWER
from tracer.fleet.families import ALIKE, Run, families_of, judge_families

FLEETS = 60


def _row(**said: Any) -> dict[str, Any]:
    return {**dict.fromkeys(ALIKE), "model": "m", "machine": None, **said}


def _fleet(random: np.random.Generator, groups: int, each: int) -> list[tuple[int, Run]]:
    """Runs of both sides in which nothing differs: two measures that go together, and spread by 5 %."""
    found = []
    for group in range(groups):
        for number in range(2 * each):
            common, own = random.lognormal(0, 0.05, 2)
            measures = {("decode", "clean"): 1e7 * common, ("vision", "clean"): 1e6 * common * own}
            found.append((number % 2, Run(_row(size=str(group)), measures)))
    return found


def test_where_nothing_differs_claims_are_as_rare_as_promised() -> None:
    random = np.random.default_rng(7)
    with_claims = 0
    for _ in range(FLEETS):
        judged, abstained = judge_families(families_of(_fleet(random, 3, 6)), "regressions")
        assert (len(judged), abstained) == (6, [])
        with_claims += any(one.verdict in (SLOWER, FASTER) for one in judged)
    # So many or more come by chance in one of a thousand such tests, if the rate is just what it may be.
    assert with_claims < 10, f"{with_claims} of {FLEETS} at {ERROR_RATE}"


@settings(max_examples=25)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))
def test_a_family_is_judged_only_where_its_runs_could_show_something(first: int, second: int, families: int) -> None:
    """And then every family has an answer: rows, or why there are none."""
    runs = [
        (side, Run(_row(size=str(family)), {("decode", "clean"): 1e6 + number}))
        for family in range(families)
        for side, count in enumerate((first, second))
        for number in range(count)
    ]
    found = families_of(runs)
    judged, abstained = judge_families(found, "regressions")
    assert len(judged) + len(abstained) == families
    able = found[0].least_p() * families <= ERROR_RATE
    assert bool(judged) == able or 0 < len(judged) < families


def test_runs_that_do_not_say_their_model_are_never_held_against_each_other() -> None:
    runs = [(side, Run(_row(model=None), {("decode", "trace"): 1e6 * (1 + side)})) for side in (0, 1) for _ in range(8)]
    judged, (refused,) = judge_families(families_of(runs), "regressions")
    assert judged == []
    assert "--tag model" in refused.next_step


def test_other_prompts_devices_and_ways_of_decoding_are_other_groups() -> None:
    rows = [_row(), _row(prompt_tokens=7), _row(gpu="H100"), _row(decode="static"), _row(dtype="float16")]
    assert len(families_of((0, Run(row, {("decode", "clean"): 1e6})) for row in rows)) == len(rows)


def test_what_some_runs_lack_is_judged_by_the_others() -> None:
    runs = [
        (side, Run(_row(), {("vision", "clean"): 1e6, **({("decode", "clean"): 1e6} if number else {})}))
        for side in (0, 1)
        for number in range(6)
    ]
    sizes = {family.keys[0][0]: len(family.sides[0]) for family in families_of(runs)}
    assert sizes == {"vision": 6, "decode": 5}

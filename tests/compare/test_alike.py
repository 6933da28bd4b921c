from __future__ import annotations

import msgspec
import pytest
from support.manifests import MS, latencies, sample
from support.summaries import requests, summary

from tracer.compare.alike import same_lengths
from tracer.compare.pairs import compare
from tracer.document.comparison import Pair
from tracer.document.summary import Summary


def _pair(before: Summary, after: Summary) -> Pair:
    (pair,) = compare([before, after], tolerance=0.01).pairs
    return pair


def _verdicts(pair: Pair) -> dict[str, str]:
    return {f"{row.of} {row.per}".strip(): row.verdict for row in pair.rows}


def test_answers_of_other_lengths_are_compared_by_the_token_and_not_as_a_whole() -> None:
    """8 tokens against 64 are no slowdown of 519 %."""
    pair = _pair(summary(requests(tokens=8)), summary(requests(tokens=64)))
    found = _verdicts(pair)
    assert (found["decode"], found["request"]) == ("other lengths", "other lengths")
    assert {found[name] for name in ("decode output token", "tpot", "ttft", "vision", "prefill")} == {"within noise"}
    decode = next(row for row in pair.rows if row.of == "decode")
    assert (decode.ratio, decode.delta_ns, decode.p, decode.low_ratio) == (None, None, None, None)
    assert decode.before_ns is not None
    assert "the answers are of other lengths" in pair.notes[0]


def test_answers_of_one_length_are_compared_as_a_whole() -> None:
    pair = _pair(summary(requests(tokens=8)), summary(requests(step_ms=30, tokens=8)))
    assert (_verdicts(pair)["decode"], _verdicts(pair)["request"], pair.notes) == ("slower", "slower", [])


def _in_rounds(*yields: int, count: int = 8) -> Summary:
    """Requests whose rounds yield so many tokens each, behind token 0."""
    steps = [60 * MS] * len(yields)
    one = msgspec.structs.replace(latencies(tokens=1 + sum(yields)), decode_ns=steps, step_tokens=list(yields))
    return summary([one] * count)


def test_an_answer_made_in_rounds_is_as_long_as_its_tokens() -> None:
    """Eight tokens of single steps against eight of three rounds, and against seven."""
    alone = summary(requests(tokens=8))
    assert _verdicts(_pair(alone, _in_rounds(3, 3, 1)))["request"] != "other lengths"
    assert _verdicts(_pair(alone, _in_rounds(3, 2, 1)))["request"] == "other lengths"


def test_a_round_of_several_tokens_is_not_laid_beside_a_step_of_one() -> None:
    alone, rounds = summary(requests(tokens=8)), _in_rounds(3, 3, 1)
    assert "latency" in {steps.of for steps in _pair(alone, alone).steps}
    assert "latency" not in {steps.of for steps in _pair(alone, rounds).steps}
    assert "latency" in {steps.of for steps in _pair(rounds, rounds).steps}
    assert "latency" not in {steps.of for steps in _pair(rounds, _in_rounds(1, 3, 3)).steps}
    fits = {(one.prefill_of, one.steps_of) for one in _pair(alone, rounds).overlaps}
    assert len(fits) == 1 and all(steps == _pair(alone, rounds).baseline for _, steps in fits)


def test_samples_whose_answers_differ_among_each_other_are_compared_if_each_is_as_long_as_before() -> None:
    names = [sample("a", tokens=3), sample("b", tokens=9)]
    run = [latencies(sample=i % 2, tokens=(3, 9)[i % 2]) for i in range(8)]
    turned = [latencies(sample=i % 2, tokens=(9, 3)[i % 2]) for i in range(8)]
    before = summary(run, samples=names)
    assert _verdicts(_pair(before, summary(run, samples=names)))["request"] != "other lengths"
    assert _verdicts(_pair(before, summary(turned, samples=names)))["request"] == "other lengths"


def test_mixtures_are_alike_in_the_same_proportion_only() -> None:
    short, long = (summary(requests(count=2, tokens=tokens)).requests for tokens in (3, 9))
    assert same_lengths([*short, *long], [*long, *short, *short, *long])
    assert not same_lengths([*short, *long], [*short, *long, *long])


def test_several_recordings_of_other_lengths_are_not_compared_as_a_whole_either() -> None:
    runs = [summary(requests(tokens=tokens)) for tokens in (3, 3, 3, 3, 9, 9, 9, 9)]
    (pair,) = compare(runs, recordings=4).pairs
    assert (_verdicts(pair)["decode"], _verdicts(pair)["tpot"]) == ("other lengths", "within noise")


@pytest.mark.parametrize(("tokens", "verdict"), [(3, "not tested"), (9, "other lengths")])
def test_medians_of_other_lengths_are_not_compared_either(tokens: int, verdict: str) -> None:
    before, after = (
        msgspec.structs.replace(one, requests=[]) for one in (summary(requests()), summary(requests(tokens=tokens)))
    )
    after = msgspec.structs.replace(after, run={**(after.run or {}), "new_tokens": tokens})
    assert _verdicts(_pair(before, after))["request"] == verdict
    assert _verdicts(_pair(before, after))["tpot"] == "not tested"

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.manifests import MS, latencies, sample
from support.summaries import KERNELS, requests, summary

from tracer.compare.drift import Known
from tracer.compare.order import took_turns
from tracer.compare.pairs import compare
from tracer.document.comparison import SCHEMA, Comparison, KernelUse, Pair, Row, encode
from tracer.document.errors import InputError
from tracer.document.summary import Summary

# What a person allows for as drift between two recordings.
ALLOWED = 0.01


def _pair(before: Summary, after: Summary, tolerance: float | None = ALLOWED) -> Pair:
    (pair,) = compare([before, after], tolerance=tolerance).pairs
    return pair


def _rows(pair: Pair) -> dict[str, Row]:
    return {f"{row.of} {row.per}".strip(): row for row in pair.rows}


def test_a_slower_stage_is_found_and_nothing_else_is_claimed() -> None:
    pair = _pair(summary(requests(30)), summary(requests(33)))
    rows = _rows(pair)
    assert list(rows) == [
        "load", "preprocess", "vision", "vision visual token",
        "prefill", "prefill visual token", "prefill prompt token", "decode", "decode output token",
        "request", "ttft", "tpot",
    ]  # fmt: skip
    assert {name for name, row in rows.items() if row.verdict == "slower"} == {
        "vision", "request", "ttft", "vision visual token",
    }  # fmt: skip
    assert {row.verdict for row in rows.values()} == {"slower", "within noise"}
    vision = rows["vision"]
    assert (vision.before_ns, vision.after_ns, vision.delta_ns) == (30.015 * MS, 33.0165 * MS, 3.0015 * MS)
    assert vision.ratio == pytest.approx(1.1)
    assert vision.p == pytest.approx(4 / 12870)  # 2 of C(16, 8), and 2 that part prefill's pairs of equal values as far
    assert (pair.source, pair.permutations, pair.shared_samples, pair.notes) == ("requests", 12870, False, [])


def test_the_same_difference_the_other_way_is_faster() -> None:
    there, back = (_rows(_pair(summary(requests(a)), summary(requests(b)))) for a, b in ((30, 33), (33, 30)))
    assert back["vision"].verdict == "faster"
    assert back["vision"].p == there["vision"].p
    assert back["vision"].ratio == pytest.approx(1 / there["vision"].ratio)  # type: ignore[operator]


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=9))
@settings(max_examples=25, deadline=None)
def test_a_run_never_differs_from_itself(times: list[int]) -> None:
    run = summary([latencies(time / MS) for time in times])
    pair = _pair(run, run)
    assert {row.verdict for row in pair.rows} <= {"within noise", "cannot tell", "not tested"}
    assert {row.ratio for row in pair.rows} <= {1.0, None}
    assert not pair.kernels
    assert {step.parts_at for step in pair.steps} == {None}


def test_a_difference_within_the_tolerance_is_no_difference() -> None:
    before, after = summary(requests(30)), summary(requests(33))
    assert _rows(_pair(before, after, tolerance=0.2))["vision"].verdict == "within noise"
    assert _rows(_pair(before, after, tolerance=0.05))["vision"].verdict == "slower"
    # At the limit itself the difference is covered as a whole.
    assert _rows(_pair(before, after, tolerance=0.101))["vision"].p == 1.0


def test_a_run_whose_halves_disagree_allows_for_as_much() -> None:
    drifting = requests(30, 4) + requests(32.4, 4)
    rows = _rows(_pair(summary(drifting), summary(requests(33)), tolerance=None))
    assert rows["vision"].allowance == pytest.approx(0.08, abs=0.005)
    assert rows["prefill"].allowance == 0.01
    assert rows["vision"].verdict == "cannot tell"


def test_a_tolerance_is_no_evidence_against_a_recording_that_shows_more_drift_itself() -> None:
    """As of a recording that began beside another program: requests of the first half take many times as long."""
    drifting, steady = requests(300, 5) + requests(33, 5), requests(33, 10)
    rows = _rows(_pair(summary(drifting), summary(steady), tolerance=0.03))
    assert (rows["vision"].verdict, rows["prefill"].verdict) == ("cannot tell", "within noise")
    assert (rows["vision"].allowance or 0) > 3
    assert rows["prefill"].allowance == 0.03
    # Among so few requests halves differ by chance.
    noisy = requests(30, 3) + requests(33, 3)
    assert _rows(_pair(summary(noisy), summary(requests(60, 6)), tolerance=0.03))["vision"].verdict == "slower"


def test_recordings_that_did_not_take_turns_show_no_difference_and_say_so() -> None:
    def recorded(vision_ms: float, began_s: int) -> Summary:
        found = summary(requests(vision_ms), path=f"{began_s}.json")
        return msgspec.structs.replace(found, trace=msgspec.structs.replace(found.trace, began_ns=began_s * 10**9))

    for step, verdict in ((1, "cannot tell"), (2, "slower")):  # all of A and then all of B; or A, B, A, B, ...
        first = [recorded(30, 100 + step * number) for number in range(5)]
        second = [recorded(36, 100 + step * number + (5 if step == 1 else 1)) for number in range(5)]
        (pair,) = compare([*first, *second], recordings=5).pairs
        assert (pair.inconclusive, _rows(pair)["vision"].verdict) == (step == 1, verdict)
        assert any("did not take turns" in note for note in pair.notes) == (step == 1)
        assert [one.what for one in pair.abstained] == ["whether latencies differ"] * (step == 1)
        (allowed,) = compare([*first, *second], recordings=5, tolerance=0.03).pairs
        assert _rows(allowed)["vision"].verdict == "slower"
        (shared,) = compare([*first, *first[:4], second[4]], recordings=5).pairs
        assert (shared.inconclusive, shared.abstained[0].reason.split(",")[0]) == (True, "a recording is in both runs")
        with pytest.raises(InputError, match="100.json: the same recording as 100.json; record each run several times"):
            compare([*first[:4], first[0], *second], recordings=5)


@pytest.mark.parametrize(
    ("order", "turns"),
    [("AAAABBBB", False), ("BBBBBAAAAA", False), ("AAAABBBBBA", False), ("AABBABBA", True), ("ABABABAB", True),
     ("AAABBBAAABBB", True), ("AAAAAABBBBBB", False), ("AB", True),
     # Turns were taken, but what rises or steps up once would part them.
     ("AAAABABBBB", False), ("ABAAABAABBBBB", False), ("ABBABAABAB", True), ("BABABABABA", True)],
)  # fmt: skip
def test_turns_are_told_by_how_often_the_run_changes(order: str, turns: bool) -> None:
    sides: tuple[list[Summary], list[Summary]] = [], []
    for place, letter in enumerate(order):
        found = summary()
        began = msgspec.structs.replace(found.trace, began_ns=place)
        sides["AB".index(letter)].append(msgspec.structs.replace(found, trace=began))
    assert took_turns(*sides) == turns
    untold = msgspec.structs.replace(sides[0][0], trace=summary().trace)
    assert took_turns([untold, *sides[0][1:]], sides[1])


@pytest.mark.parametrize(
    ("about", "title"),
    [
        ({"model": "eventgpt", "size": "7b", "dtype": "bfloat16", "device": "GPU"}, "eventgpt 7b, bfloat16 on GPU"),
        ({"model": "my_infer.py", "size": "", "dtype": "", "device": "GPU"}, "my_infer.py, GPU"),
    ],
)
def test_a_run_is_called_by_what_is_known_of_it(about: dict[str, str], title: str) -> None:
    found = summary(requests(30))
    run = msgspec.structs.replace(found, run={**(found.run or {}), **about})
    assert compare([run, found]).runs[0].title == title


def test_four_requests_have_halves_and_three_have_none() -> None:
    for first, second, allowance in ((2, 2, 0.08), (1, 2, 0.01)):
        drifting = requests(30, first) + requests(32.4, second)
        rows = _rows(_pair(summary(drifting), summary(requests(33)), tolerance=None))
        assert rows["vision"].allowance == pytest.approx(allowance, abs=0.005)


def test_drift_between_recordings_is_noise_where_each_run_was_recorded_several_times() -> None:
    drifted = [summary(requests(time)) for time in (30, 36, 30, 36, 30)]
    others = [summary(requests(time)) for time in (36, 30, 36, 30, 36)]
    assert _rows(_pair(drifted[0], others[0]))["vision"].verdict == "slower"
    (pair,) = compare([*drifted, *others], recordings=5).pairs
    assert (pair.recordings, pair.permutations, pair.notes) == (5, 252, [Known.UNTOLD.value])
    vision = _rows(pair)["vision"]
    assert vision.verdict == "cannot tell"
    assert (vision.before_ns, vision.after_ns) == (30.015 * MS, 36.018 * MS)
    assert {name for name, row in _rows(pair).items() if row.verdict != "within noise"} == {
        "vision", "vision visual token",
    }  # fmt: skip


def test_a_twentieth_more_is_found_among_recordings_that_agree_better_than_that() -> None:
    before = [summary(requests(time)) for time in (30, 30.2, 29.9, 30.1, 29.8)]
    after = [summary(requests(time * 1.05)) for time in (29.9, 30.1, 30, 30.2, 29.8)]
    (pair,) = compare([*before, *after], recordings=5).pairs
    slower = {name for name, row in _rows(pair).items() if row.verdict == "slower"}
    assert slower == {"vision", "vision visual token", "ttft", "request"}
    assert _rows(pair)["vision"].ratio == pytest.approx(1.05)
    assert _rows(pair)["vision"].allowance == 0.01


def test_three_recordings_a_side_can_show_nothing() -> None:
    runs = [summary(requests(time)) for time in (30, 30, 30, 60, 60, 60)]
    found = compare(runs, recordings=3)
    assert {row.verdict for row in found.pairs[0].rows} == {"not tested"}
    assert found.pairs[0].notes == ["3 recordings a side are too few to test anything; record more (--recordings 5)"]
    assert [(run.recordings, run.requests) for run in found.runs] == [(3, 24), (3, 24)]


def test_samples_are_compared_with_themselves() -> None:
    names = [sample(f"{i}.npy", visual=100 * (i + 1)) for i in range(8)]
    slower = summary([latencies(30 * (i + 1) * (1.05 + i / 1e4), sample=i) for i in range(8)], samples=names)
    pair = _pair(summary([latencies(30 * (i + 1), sample=i) for i in range(8)], samples=names), slower)
    vision = _rows(pair)["vision"]
    assert (pair.shared_samples, pair.permutations, vision.verdict) == (True, 256, "slower")
    assert vision.ratio == pytest.approx(1.05, abs=0.001)
    other = [msgspec.structs.replace(name, name=f"other {name.name}") for name in names]
    elsewhere = summary([latencies(30 * (i + 1) * 1.05, sample=i) for i in range(8)], samples=other)
    mixed = _pair(summary([latencies(30 * (i + 1), sample=i) for i in range(8)], samples=names), elsewhere)
    assert (mixed.shared_samples, _rows(mixed)["vision"].verdict) == (False, "cannot tell")


def test_per_token_figures_take_different_lengths_into_account() -> None:
    short, long = [sample("a", visual=100, prompt=50, tokens=3)], [sample("b", visual=300, prompt=150, tokens=9)]
    before = summary(requests(30, tokens=3), samples=short)
    after = summary(requests(90, prefill_ms=150, tokens=9), samples=long)
    rows = _rows(_pair(before, after))
    assert {rows[name].verdict for name in ("vision", "prefill")} == {"slower"}
    per_token = ("vision visual token", "prefill visual token", "prefill prompt token", "decode output token", "tpot")
    assert {rows[name].verdict for name in per_token} == {"within noise"}
    assert rows["prefill prompt token"].before_ns == pytest.approx(50.025 * MS / 150)
    batch = summary(requests(30, tokens=3), samples=[sample("a", visual=100, batch_size=4)])
    assert _rows(_pair(before, batch))["vision visual token"].ratio == pytest.approx(1 / 4)


def test_few_requests_say_so_instead_of_claiming() -> None:
    pair = _pair(summary(requests(30, 2)), summary(requests(99, 2)))
    assert _rows(pair)["vision"].verdict == "not tested"
    assert pair.notes == ["2 requests a side are too few to test anything; record more (tracer record --requests 10)"]
    pair = _pair(summary(requests(30, 4)), summary(requests(99, 4, louder=1.3)))
    assert _rows(pair)["vision"].verdict == "slower"
    assert pair.notes == ["4 requests a side show wide gaps only; record more (tracer record --requests 10)"]


def test_five_requests_a_side_show_a_tenth() -> None:
    assert _rows(_pair(summary(requests(30, 5)), summary(requests(33, 5))))["vision"].verdict == "slower"


def test_without_requests_the_medians_are_compared_and_not_tested() -> None:
    old = msgspec.structs.replace(summary(requests(30)), requests=[])
    pair = _pair(old, summary(requests(33)))
    assert (pair.source, pair.permutations) == ("medians", 0)
    assert {row.verdict for row in pair.rows} == {"not tested"}
    assert _rows(pair)["vision"].ratio == pytest.approx(1.1)
    assert "keep medians only" in pair.notes[0]


def test_foreign_traces_are_compared_by_one_run_of_each_stage() -> None:
    longer = (("vision", "gemm", 60), *KERNELS[1:])
    pair = _pair(summary(), summary(kernels=longer[:2]))
    rows = _rows(pair)
    assert pair.source == "trace"
    assert "no pass without a profiler" in pair.notes[0]
    assert list(rows) == ["vision", "prefill", "tpot"]
    assert (rows["vision"].before_ns, rows["vision"].after_ns) == (30_000, 60_000)
    assert rows["tpot"].verdict == "not tested"


def test_a_stage_of_one_side_only_is_a_row() -> None:
    foreign = msgspec.structs.replace(summary(), stages=summary().stages[1:])
    row = _rows(_pair(summary(), foreign))["vision"]
    assert (row.after_ns, row.delta_ns, row.verdict) == (None, None, "one side only")
    row = _rows(_pair(summary(requests(tokens=1)), summary(requests(tokens=2))))["tpot"]
    assert (row.before_ns, row.verdict) == (None, "one side only")


def test_kernels_that_came_went_and_changed() -> None:
    after = (
        ("vision", "conv", 31), ("prefill", "gemm", 55), ("decode#1", "gemv", 12), ("decode#2", "gemv", 20),
    )  # fmt: skip
    pair = _pair(summary(kernels=KERNELS), summary(kernels=after))
    assert [(one.stage, one.name, one.change, one.delta_ns) for one in pair.kernels] == [
        ("vision", "conv", "appeared", 31_000),
        ("vision", "gemm", "vanished", -30_000),
        ("prefill", "gemm", "slower", 5_000),
        ("decode", "gemv", "faster", -4_000),
    ]
    assert pair.kernels[3].after == KernelUse(count=1, time_ns=16_000)
    assert pair.same_kernels == 0
    assert _pair(summary(), summary(kernels=after), tolerance=0.2).same_kernels == 2


def test_each_run_is_compared_with_the_first_and_the_document_is_versioned() -> None:
    found = compare([summary(requests(v), path=f"{v}.json") for v in (30, 33, 27)], tolerance=ALLOWED)
    assert [(run.label, run.path, run.requests) for run in found.runs] == [
        ("A", "30.json", 8), ("B", "33.json", 8), ("C", "27.json", 8),
    ]  # fmt: skip
    assert [(pair.baseline, pair.other, _rows(pair)["vision"].verdict) for pair in found.pairs] == [
        ("A", "B", "slower"), ("A", "C", "faster"),
    ]  # fmt: skip
    assert found.runs[0].title == "eventgpt 7b, bfloat16 on GPU"
    assert (found.runs[0].visual_tokens, found.error_rate) == (582, 0.05)
    assert msgspec.json.decode(encode(found), type=Comparison) == found
    assert msgspec.json.decode(encode(found))["schema"] == SCHEMA == "tracer.comparison/1"


def test_runs_on_other_devices_or_types_are_said_to_be() -> None:
    pair = _pair(summary(requests()), summary(requests(), dtype="float32", device={"type": "cpu", "name": "x"}))
    assert pair.notes == ["the runs differ in device: GPU and x", "the runs differ in dtype: bfloat16 and float32"]


def test_that_stages_of_a_side_are_inferred_is_said() -> None:
    known, other = summary(requests(30)), summary(requests(33))
    told = msgspec.structs.replace(other.trace, markers="inferred", confidence=0.83, path="other.json")
    (note,) = _pair(known, msgspec.structs.replace(other, trace=told)).notes
    assert note.startswith("stages are inferred from what repeats in other.json (confidence 0.83 of 1): ")
    assert not _pair(known, other).notes

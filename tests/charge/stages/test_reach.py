"""Steps of serving engines: what comes behind the range, and pauses."""

from __future__ import annotations

import pytest
from support.chrome import OTHER, Event, call, kernel, launch, span, trace_of

from tracer.charge.stages.find import find_stages
from tracer.compare.figures import TRACE, figures
from tracer.document.summary import Summary
from tracer.summarize import summarize

PREFILL, DECODE = "execute_context_1(600)_generation_0(0)", "execute_context_0(0)_generation_8(8)"


def _ends(*events: Event) -> list[float]:
    return (find_stages(trace_of(*events, kernel("k", 0, 1))).end_ns / 1000).tolist()


def _sampling_behind_the_range(steps: int) -> Summary:
    """Steps of 10 ms: 6.7 in the range, the rest behind it."""
    events: list[Event] = []
    number = 0
    for k in range(steps):
        t = k * 10_000
        events.append(span(DECODE, t, 600))
        for i in range(9):
            number += 1
            name, at = ("gemm", t + 10 + i) if i < 7 else ("topk_sampling", t + 693 + i)
            events += [launch(at, 1, number), kernel(name, t + 100 + i * 960, 960, number)]
        number += 1
        copy = kernel("Memcpy DtoH (Device -> Pageable)", t + 8_820, 10, number, cat="gpu_memcpy", args={"bytes": 64})
        events += [call("cudaMemcpyAsync", t + 710, 2, number), copy, call("cudaStreamSynchronize", t + 715, 8_200)]
    return summarize(trace_of(*events))


def test_sampling_and_the_copy_behind_the_range_belong_to_the_step() -> None:
    summary = _sampling_behind_the_range(20)
    (decode,) = summary.stages
    assert (decode.ops, summary.device.unattributed.ops, summary.device.between.idle_ns) == (200, 0, 0)
    assert figures(summary, TRACE)["tpot"] == pytest.approx(10e6, rel=0.01)
    assert [token.counts.waits for token in summary.tokens] == [1] * 20
    assert "sync-per-token" in [finding.id for finding in summary.findings]


def _traffic(pause_us: float) -> Summary:
    """Three requests with steps that are busy to 96 %, and a pause behind each."""
    events: list[Event] = []
    number, t = 0, 0.0
    for _request in range(3):
        for name in (PREFILL, *[DECODE] * 5):
            events.append(span(name, t, 1000))
            for i in range(10):
                number += 1
                events += [launch(t + 5 + i, 0.5, number), kernel("gemm", t + 20 + i * 97, 96.5, number)]
            t += 1000
        t += pause_us
    return summarize(trace_of(*events))


def test_pauses_of_traffic_are_no_launch_overhead_of_a_prefill() -> None:
    busy, paused = _traffic(0), _traffic(1_000_000)
    assert [finding.id for finding in paused.findings] == [finding.id for finding in busy.findings]
    assert paused.device.between.idle_ns == pytest.approx(2 * 1_000_000_000, rel=0.001)
    assert figures(paused, TRACE)["prefill"] == pytest.approx(1e6, rel=0.05)


def test_a_step_ends_with_the_last_call_before_a_prefill_and_reaches_to_the_next_decode() -> None:
    steps = [span(PREFILL, 0, 100), span(DECODE, 300, 100), span(PREFILL, 600, 100), launch(410, 50, 1)]
    assert _ends(*steps) == [100, 460, 700]  # a pause of 200 is longer than the first step
    assert _ends(span(PREFILL, 0, 100), span(DECODE, 150, 100)) == [150, 250]


def test_a_pause_longer_than_the_step_is_no_part_of_it_even_before_a_decode_step() -> None:
    assert _ends(span(DECODE, 0, 100), launch(110, 10, 1), span(DECODE, 1000, 100)) == [120, 1100]


def test_where_prompts_are_processed_too_what_decodes_next_was_in_flight_however_long_the_pause() -> None:
    """Else a scheduler slower than the steps would look like traffic that stays away."""
    slow = [span(PREFILL, 0, 100), span(DECODE, 1000, 100), span(DECODE, 2000, 100), span(PREFILL, 9000, 100)]
    assert _ends(*slow) == [100, 2000, 2100, 9100]
    handed = ("EXTEND bs=1 toks=9", "DECODE bs=1", "PREBUILT bs=1", "DECODE bs=1")
    assert _ends(*[span(f"step[{step}]", 1000 * k, 100) for k, step in enumerate(handed)]) == [100, 1100, 3100]


def test_the_last_step_reaches_as_far_as_the_others_at_most() -> None:
    one = [span(PREFILL, 0, 100), launch(110, 10, 1)]
    assert _ends(*one) == [100]
    two = [span(PREFILL, 500, 100), launch(615, 4, 2), launch(650, 9, 3)]
    assert _ends(*one, *two) == [120, 619]


def test_calls_of_another_thread_extend_nothing() -> None:
    assert _ends(span(PREFILL, 0, 100), launch(110, 10, 1, tid=OTHER), span(PREFILL, 500, 100)) == [100, 600]


def test_ranges_that_a_person_or_tracer_marked_end_where_they_end() -> None:
    events = [span("tracer/decode#1", 0, 100), launch(110, 10, 1), span("tracer/decode#2", 150, 100)]
    assert _ends(*events) == [100, 250]


def test_a_step_whose_calls_reach_into_the_next_ends_where_that_begins() -> None:
    assert _ends(span(PREFILL, 0, 100), launch(110, 100, 1), span(PREFILL, 150, 100)) == [150, 250]


# What a pass asks for, and what sampling does.
PASS, SAMPLING = ("norm", "gemm", "flash", "gemm"), ("topk", "gemm", "copy")


def _stepping(*behind: tuple[str, ...]) -> list[tuple[str, int]]:
    """Steps of 1 ms with a pass inside and this behind each; stages with how many ops they have."""
    events: list[Event] = []
    number = 0
    for k, after in enumerate(behind):
        events.append(span(DECODE, 1000 * k, 100))
        for place, name in enumerate((*PASS, *after)):
            number += 1
            at = 1000 * k + (10 + place if place < len(PASS) else 110 + place)
            events += [launch(at, 0.5, number), kernel(name, 1000 * k + 200 + 20 * place, 20, number)]
    summary = summarize(trace_of(*events))
    assert sum(token.ops for token in summary.tokens) == summary.stages[0].ops
    return [(stage.stage, stage.ops) for stage in summary.stages] + [("none", summary.device.unattributed.ops)]


@pytest.mark.parametrize(
    ("behind", "ops"),
    [
        ([SAMPLING, (*SAMPLING, *PASS), SAMPLING], [("decode", 21), ("none", 4)]),
        ([SAMPLING, (*SAMPLING, *PASS * 3), SAMPLING], [("decode", 21), ("none", 12)]),
        ([SAMPLING, SAMPLING, (*SAMPLING, *PASS)], [("decode", 21), ("none", 4)]),  # behind the last step
        ([SAMPLING, (*SAMPLING, *PASS[:2]), SAMPLING], [("decode", 23), ("none", 0)]),  # a draft's, of a layer
        ([SAMPLING, (*SAMPLING, *["topk"] * 9), SAMPLING], [("decode", 30), ("none", 0)]),
    ],
)
def test_a_whole_pass_behind_a_step_is_none_of_its_work(
    behind: list[tuple[str, ...]], ops: list[tuple[str, int]]
) -> None:
    """As a rank without requests makes them to keep the others company."""
    assert _stepping(*behind) == ops


def test_where_drafts_are_checked_what_is_behind_a_step_may_be_several_passes_of_a_draft() -> None:
    def ends(sequence: str) -> list[float]:
        ran = [kernel(name, 200 + place, 1, 1 + place) for place, name in enumerate(PASS * 2)]
        asked = [
            launch(10 + place if place < len(PASS) else 110 + place, 1, 1 + place) for place in range(2 * len(PASS))
        ]
        following = span("execute_context_1(9)_generation_0(0)", 900, 100)
        step = span(f"execute_context_0(0)_generation_{sequence}", 0, 100)
        return (find_stages(trace_of(step, following, *asked, *ran)).end_ns / 1000).tolist()

    assert ends("1(1)") == [100, 1000]
    assert ends("1(4)") == [118, 1000]


def test_a_replay_behind_a_step_is_a_pass_only_if_it_is_as_large_as_the_steps_own() -> None:
    def ends(kernels: tuple[str, ...]) -> float:
        graph = {**launch(20, 5, 1), "name": "cudaGraphLaunch"}
        again = {**launch(130, 5, 2), "name": "cudaGraphLaunch"}
        ran = [kernel(name, 200 + place, 1, 1) for place, name in enumerate(PASS)]
        more = [kernel(name, 300 + place, 1, 2) for place, name in enumerate(kernels)]
        found = find_stages(trace_of(span(PREFILL, 0, 100), graph, *ran, again, *more, span(PREFILL, 900, 100)))
        return float(found.end_ns[0]) / 1000

    assert ends(PASS) == 100
    assert ends(tuple(f"{name} of a batch of one" for name in PASS)) == 100
    assert ends(PASS[:2]) == 135

"""Rounds, what they yield, what each model did, and whether it pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import DATA, real_traces
from hypothesis import given
from hypothesis import strategies as st
from support.chrome import call, frame, kernel, launch, module, span, trace_of
from support.rounds import rounds

from tracer.charge.spans import innermost_span
from tracer.charge.stages.modules import model_calls
from tracer.choices import Choices
from tracer.document.names import ALL_STAGES
from tracer.document.summary import Round, Speculation, Summary, decode, encode
from tracer.measure.speculating.lengths import acceptance_by_position, best_length, checks_of
from tracer.summarize import Charged, charge, read, summarize, summarize_file
from tracer.trace.source import Source

if TYPE_CHECKING:
    from support.chrome import Event

RESULT = st.integers(0, 5).flatmap(lambda drafted: st.tuples(st.just(drafted), st.integers(0, drafted)))


def _speculation(summary: Summary) -> Speculation:
    assert decode(encode(summary)) == summary
    assert summary.speculation is not None
    return summary.speculation


def _told(*results: tuple[int, int] | None, **costs: float) -> Speculation:
    return _speculation(summarize(trace_of(*rounds(results, **costs))))  # type: ignore[arg-type]


def test_marked_rounds_count_tokens_and_are_held_against_the_targets_own_steps() -> None:
    found = _told((2, 2), (2, 1), (2, 0), (2, 1))
    assert (found.rounds, found.drafted_tokens, found.accepted_tokens, found.yielded_tokens) == (4, 8, 4, 8)
    assert found.acceptance_by_position == [0.75, 0.25]
    assert (found.draft_ns, found.verify_ns, found.waiting_ns) == (80_000, 160_000, 0)
    assert (found.target_step_ns, found.target_alone_ns, found.speedup) == (30_000, 240_000, 1.0)
    assert found.break_even_acceptance == 0.5
    assert (found.rejected_token_ns, found.unknown) == (10_000, {})
    assert found.each[0] == Round(
        request=0, index=1, prompt=False, drafted=2, accepted=2, yielded=3, draft_ns=20_000, verify_ns=40_000,
        waiting_ns=0,
    )  # fmt: skip


def test_the_best_draft_is_as_long_as_a_token_more_yields_more_in_the_same_time() -> None:
    assert _told(*[(3, 1)] * 4, draft=20, verify=40).best_drafted == 1
    assert _told(*[(3, 3)] * 4, draft=20, verify=40).best_drafted == 3


def test_a_check_of_more_tokens_that_costs_more_makes_the_best_draft_shorter() -> None:
    def best(long_ns: int) -> int | None:
        timed = [_round(1, 1, 30), _round(1, 1, 32), _round(4, 4, long_ns)]
        checks = checks_of(timed)
        assert [(one.drafted, one.rounds, one.verify_ns) for one in checks] == [(1, 2, 31), (4, 1, long_ns)]
        return best_length(acceptance_by_position(timed), timed, checks)

    assert best(300) == 1
    assert best(40) == 4


def test_what_a_few_long_drafts_had_accepted_at_the_end_is_no_more_than_at_the_beginning_of_all() -> None:
    timed = [*[_round(1, 0, 3)] * 3, _round(3, 3, 3)]
    shares = acceptance_by_position(timed)
    assert shares == [0.25, 1, 1]
    assert best_length(shares, timed, checks_of(timed)) == 1  # 1.25 tokens in 4, not 1.75 in 6


def _round(drafted: int, accepted: int, verify_ns: int) -> Round:
    return Round(
        request=0, index=1, prompt=False, drafted=drafted, accepted=accepted, yielded=accepted + 1, draft_ns=drafted,
        verify_ns=verify_ns, waiting_ns=0,
    )  # fmt: skip


def test_mapping_is_a_part_of_a_round_of_its_own() -> None:
    found = _told((2, 2), (2, 1), (2, 0), mapping=5)
    assert (found.draft_ns, found.map_ns, found.verify_ns) == (60_000, 15_000, 120_000)
    assert [one.map_ns for one in found.each] == [5_000] * 3
    assert found.target_alone_ns is not None and found.speedup == found.target_alone_ns / 195_000
    # Half of what was drafted and mapped was not accepted.
    assert (found.rejected_token_ns, found.wasted_ns) == (10_000, 37_500)
    assert _told((2, 2), (2, 1)).map_ns is None


def test_nothing_drafted_is_mapped_in_no_time_and_what_was_drafted_in_an_unknown_one() -> None:
    for result, took_ns in (((0, 0), 0), ((1, 0), None)):
        events = [event for event in rounds([(2, 1), result], mapping=5) if event["name"] != "tracer/map#2"]
        assert [one.map_ns for one in _speculation(summarize(trace_of(*events))).each] == [5_000, took_ns]


def test_mapping_on_the_host_keeps_the_device_waiting_and_has_no_time_of_the_device() -> None:
    events = [
        span("tracer/prefill", 0, 10), span("tracer/draft#1", 10, 10), launch(11, 1, 1), kernel("d", 12, 5, 1),
        span("tracer/map#1", 20, 30), span("tracer/verify#1", 50, 20), launch(51, 1, 2), kernel("v", 52, 10, 2),
    ]  # fmt: skip
    found = _speculation(summarize(trace_of(*events)))
    assert (found.map_ns, found.map_cpu_ns, found.verify_ns) == (0, 30_000, 45_000)
    assert found.waiting is not None
    assert (found.waiting.draft_ns, found.waiting.map_ns, found.waiting.verify_ns) == (0, 0, 35_000)
    assert found.waiting_ns == 35_000


def _beside(*, stream: int, drafted_at: float = 20) -> list[Event]:
    """A prompt's pass of 100 microseconds, and a draft of two tokens beside it."""
    return [
        span("tracer/request#0", 0, 300), span("tracer/prefill", 1, 10), launch(2, 1, 1), kernel("p", 4, 100, 1),
        span("tracer/draft#1", 12, 6), launch(13, 1, 2),
        kernel("d", drafted_at, 10, 2, stream=stream),
        span("tracer/verify#1", 200, 20), span("tracer/result:drafted=2,accepted=1", 210, 0), launch(201, 1, 3),
        kernel("v", 203, 10, 3),
    ]  # fmt: skip


def test_tokens_drafted_on_another_stream_before_the_prefill_ended_are_the_overlap() -> None:
    found = _speculation(summarize(trace_of(*_beside(stream=9)))).before_prefill
    assert found is not None and (found.requests, found.drafted_tokens, found.drafts) == (1, 2, 1)


def test_a_draft_that_ends_behind_the_prefill_or_has_its_stream_is_no_overlap() -> None:
    for events in (_beside(stream=9, drafted_at=110), _beside(stream=7, drafted_at=106)):
        found = _speculation(summarize(trace_of(*events))).before_prefill
        assert found is not None and (found.drafted_tokens, found.drafts) == (0, 0)


def test_what_no_round_says_is_unknown_and_so_is_what_rests_on_it() -> None:
    summary = summarize(trace_of(*rounds([(2, 1), None, (2, 2)])))
    found = _speculation(summary)
    counts = (found.drafted_tokens, found.accepted_tokens, found.yielded_tokens, found.target_alone_ns, found.speedup)
    assert counts == (None,) * 5
    assert found.acceptance_by_position == []
    assert {"accepted_tokens", "speedup"} <= found.unknown.keys()
    assert "s.result(drafted=" in next(one for one in summary.abstained if "accepted" in one.what).next_step


def test_without_steps_of_the_target_alone_nothing_is_said_of_what_it_would_take() -> None:
    found = _told((2, 1), (2, 2), alone=2)
    assert (found.target_step_ns, found.speedup, found.break_even_acceptance) == (None, None, None)
    assert found.accepted_tokens == 3


def test_each_op_is_of_one_role_and_roles_add_up_to_the_stages() -> None:
    summary = summarize(trace_of(*rounds([(2, 1), (3, 2)])))
    found = _speculation(summary)
    assert [(stage.stage, stage.role) for stage in summary.stages] == [
        ("prefill", "target"), ("decode", "target"), ("draft", "draft"), ("verify", "target"),
    ]  # fmt: skip
    done = {role: (work.passes, work.ops) for role, work in found.roles.items()}
    assert done == {"target": (7, 7), "draft": (None, 2)}
    assert sum(work.device_time_ns or 0 for work in found.roles.values()) == summary.device.time_ns


@given(st.lists(RESULT, min_size=1, max_size=6))
def test_rounds_yield_what_they_accept_and_one_more_and_their_times_are_the_stages(
    results: list[tuple[int, int]],
) -> None:
    summary = summarize(trace_of(*rounds(results)))
    found = _speculation(summary)
    assert found.yielded_tokens == sum(accepted for _, accepted in results) + len(results)
    stages = {stage.stage: stage.took_ns for stage in summary.stages}
    assert (found.draft_ns, found.verify_ns) == (stages["draft"], stages["verify"])
    assert all(0 <= share <= 1 for share in found.acceptance_by_position)


def test_a_result_that_accepts_more_than_was_drafted_is_none() -> None:
    events = [span("tracer/verify#1", 0, 10), span("tracer/result:drafted=1,accepted=2", 1, 0), launch(1, 1, 1)]
    summary = summarize(trace_of(span("tracer/draft#1", -5, 5), *events, kernel("k", 3, 5, 1)))
    assert _speculation(summary).accepted_tokens is None


def test_a_step_that_checks_a_draft_is_a_pass_and_one_beside_checks_a_token() -> None:
    checked = [span("tracer/draft#1", 0, 10), span("tracer/decode#1", 10, 10), launch(11, 1, 1), kernel("k", 13, 5, 1)]
    summary = summarize(trace_of(*checked))
    assert (summary.trace.steps, _speculation(summary).rounds) == ("passes", 1)
    assert summarize(trace_of(*rounds([(1, 1)]))).trace.steps == "tokens"


def test_one_model_has_no_roles_and_no_rounds() -> None:
    events = [span("tracer/prefill", 0, 10), launch(1, 1, 1), kernel("k", 3, 5, 1)]
    summary = summarize(trace_of(*events))
    assert (summary.speculation, summary.stages[0].role) == (None, None)


def test_a_model_of_its_own_name_may_have_the_same_stages() -> None:
    events = [
        span("tracer/small/prefill", 0, 10), launch(1, 1, 1), kernel("k", 3, 5, 1),
        span("tracer/large/prefill", 20, 10), launch(21, 1, 2), kernel("k", 23, 5, 2),
        span("tracer/small/decode#1", 40, 10), launch(41, 1, 3), kernel("k", 43, 5, 3),
    ]  # fmt: skip
    trace = trace_of(*events)
    assert charge(trace, Choices()).ranges.roles == ("small", "large", "small")
    assert [(stage.stage, stage.role) for stage in summarize(trace).stages] == [("prefill", None), ("decode", "small")]


def _generate(drafts: int) -> list[dict[str, object]]:
    """Two passes of a target, each behind a draft in so many passes of another model."""
    folder = "transformers/generation"
    events = [frame(f"{folder}/utils.py(1): generate", 0, 300)]
    for at in (10, 150):
        events.append(frame(f"{folder}/candidate_generator.py(1): get_candidates", at, 90))
        events.append(frame(f"{folder}/utils.py(1): generate", at + 5, 80))
        for number in range(drafts):
            begun = at + 10 + 20 * number
            events.append(frame(f"{folder}/utils.py(1): prepare_inputs_for_generation", begun, 1))
        events.append(frame(f"{folder}/utils.py(1): prepare_inputs_for_generation", at + 100, 1))
        events += [launch(at + 101, 1, at), kernel("k", at + 103, 5, at), call("x", at + 104, 1)]
    return events


def test_assisted_generation_drafts_a_token_a_pass_and_does_not_say_what_was_accepted() -> None:
    found = _speculation(summarize(trace_of(*_generate(drafts=3))))
    assert (found.rounds, found.drafted_tokens, found.accepted_tokens) == (2, 6, None)
    assert [(one.prompt, one.drafted) for one in found.each] == [(True, 3), (False, 3)]
    assert {role: work.passes for role, work in found.roles.items()} == {"target": 2, "draft": 6}


def test_a_lookup_drafts_without_a_pass_and_nobody_knows_how_many() -> None:
    found = _speculation(summarize(trace_of(*_generate(drafts=0))))
    assert (found.rounds, found.drafted_tokens) == (2, None)
    assert {role: work.passes for role, work in found.roles.items()} == {"target": 2, "draft": 0}


def test_the_ops_of_forward_passes_are_told_by_the_modules_that_ran() -> None:
    passes = [module("LlamaForCausalLM_0", 110, 30), module("LlamaDecoderLayer_0", 110.5, 20)]
    found = _speculation(summarize(trace_of(*_generate(drafts=1), *passes)))
    assert (found.roles["target"].ops, found.roles["target"].forward_ops) == (2, 1)


@pytest.mark.parametrize("release", ["4_46", "5_23"])
def test_recorded_shapes_tell_what_was_accepted_by_the_length_of_the_cache(release: str) -> None:
    path = DATA / "generate" / f"generate_{release}_assisted.json.gz"
    found = _speculation(summarize_file(path, Choices(shapes=True)))
    # A prompt of 12, and caches of 12, 13 and 14 before the passes behind it: nothing was accepted.
    assert [(one.prompt, one.drafted, one.accepted) for one in found.each] == [
        (True, 1, 0),
        (False, 1, 0),
        (False, 1, 0),
    ]
    assert (found.accepted_tokens, found.yielded_tokens, found.acceptance_by_position) == (0, 3, [0.0])


def test_without_their_shapes_the_same_passes_do_not_tell_it() -> None:
    summary = summarize_file(DATA / "generate" / "generate_5_23_assisted.json.gz")
    assert _speculation(summary).accepted_tokens is None
    assert "record_shapes=True" in next(one for one in summary.abstained if "accepted" in one.what).next_step


TRUTH = {"decode": r"T/target#(\d+)", "draft": r"T/draft#(\d+)"}


def _charged(name: str, patterns: dict[str, str] | None = None) -> Charged:
    paths = real_traces(f"{name}.json.gz")
    if not paths:
        pytest.skip(f"no {name} among TRACER_MORE_TRACES")
    choices = Choices(patterns=patterns or {})
    with Source(paths[0], choices.limits) as source:
        return charge(read(source, choices), choices)


def _names(charged: Charged, rows: np.ndarray) -> list[str]:
    work = charged.work
    order = rows[np.lexsort((work.start_ns[rows], work.call_start_ns[rows]))]
    return [charged.trace.strings[name] for name in work.name[order].tolist()]


def test_an_unmarked_trace_of_assisted_generation_is_split_kernel_for_kernel_as_its_marked_twin() -> None:
    found, truth = _charged("hf_assisted"), _charged("hf_assisted_truth", TRUTH)
    calls = found.trace.modules[model_calls(found.trace)]
    inside = innermost_span(calls, found.work.call_start_ns, found.work.call_thread) >= 0
    role = np.array([*found.ranges.roles, ""])[found.work.stage]
    told = truth.work.stage_code(truth.ranges)
    for name, stage in (("target", 5), ("draft", 6)):
        kernels = _names(found, np.flatnonzero(inside & (role == name)))
        assert len(kernels) > 800
        assert kernels == _names(truth, np.flatnonzero(told == stage))


LOOKUP = {"vision": "T/vision", "prefill": "T/prefill", "decode": r"T/decode#(\d+)"}


def test_an_unmarked_lookup_in_the_prompt_is_split_kernel_for_kernel_as_its_marked_twin() -> None:
    found, truth = _charged("hf_prompt_lookup"), _charged("hf_prompt_lookup_truth", LOOKUP)
    calls = found.trace.modules[model_calls(found.trace)]
    inside = innermost_span(calls, found.work.call_start_ns, found.work.call_thread) >= 0
    stage, told = (one.work.stage_code(one.ranges) for one in (found, truth))
    # The projector has no range of its own there: it is within vision's.
    stage = np.where(stage == ALL_STAGES.index("projector"), ALL_STAGES.index("vision"), stage)
    for name in LOOKUP:
        kernels = _names(found, np.flatnonzero(inside & (stage == ALL_STAGES.index(name))))
        assert len(kernels) > 250
        assert kernels == _names(truth, np.flatnonzero(told == ALL_STAGES.index(name)))
    role = np.array([*found.ranges.roles, ""])[found.work.stage]
    assert set(role[inside].tolist()) == {"target"}


@pytest.mark.parametrize(
    ("draft", "passes"),
    [("step[DRAFT_EXTEND bs=1]", 3), ("draft", None), ("step[DRAFT_LOOP raw_bs=1 bs=1 topk=1]", None)],
)
def test_a_range_around_all_drafting_of_an_engine_may_hold_several_passes(draft: str, passes: int | None) -> None:
    events: list[Event] = []
    for number in range(3):
        at = 100 * number
        for name, begun, key in ((draft, at, 2 * number + 1), ("step[TARGET_VERIFY bs=1]", at + 50, 2 * number + 2)):
            events += [span(name, begun, 30), launch(begun + 2, 1, key), kernel("k", begun + 5, 9, key)]
    found = _speculation(summarize(trace_of(*events)))
    assert {role: work.passes for role, work in found.roles.items()} == {"draft": passes, "target": 3}


@pytest.mark.parametrize(
    ("name", "passes", "rounds_", "drafted"),
    [("hf_assisted", {"target": 8, "draft": 7}, 7, 7), ("hf_prompt_lookup", {"target": 7, "draft": 0}, 7, None)],
)
def test_recordings_of_known_passes(name: str, passes: dict[str, int], rounds_: int, drafted: int | None) -> None:
    paths = real_traces(f"{name}.json.gz")
    if not paths:
        pytest.skip(f"no {name} among TRACER_MORE_TRACES")
    found = _speculation(summarize_file(paths[0]))
    assert {role: work.passes for role, work in found.roles.items()} == passes
    assert (found.rounds, found.drafted_tokens, found.accepted_tokens) == (rounds_, drafted, None)


def test_a_draft_on_another_device_takes_turns_and_neither_device_waits_twice() -> None:
    told = [(2, 2), (2, 1), (2, 0), (2, 2)]
    one, two = (summarize(trace_of(*rounds(told, draft_device=device, mapping=3))) for device in (0, 1))
    assert one.speculation == two.speculation
    assert [(row.stage, row.step_ns) for row in one.budget] == [(row.stage, row.step_ns) for row in two.budget]

"""Traces without markers in which transformers' `generate` left its frames."""

from __future__ import annotations

import pytest
from conftest import real_traces
from support.chrome import Event, frame, kernel, launch, module, trace_of

from tracer.charge.stages.find import find_stages
from tracer.compare.figures import TRACE, figures
from tracer.document.names import ALL_STAGES
from tracer.document.summary import Summary
from tracer.summarize import summarize, summarize_file
from tracer.trace.columns import Trace

UTILS = "transformers/generation/utils.py"


def _frame(name: str, at: float, length: float, file: str = UTILS) -> Event:
    return frame(f"{file}(12): {name}", at, length)


def _pass(at: float) -> list[Event]:
    """Inputs prepared, and a forward pass that launches one kernel."""
    number = int(at) + 1
    return [
        _frame("prepare_inputs_for_generation", at, 2),
        module("LlamaForCausalLM_0", at + 2, 6), module("LlamaDecoderLayer_0", at + 3, 4),
        launch(at + 4, 1, number), kernel("k", at + 6, 2, number),
    ]  # fmt: skip


def _rows(trace: Trace) -> list[tuple[str, int, int, int, int]]:
    found = find_stages(trace)
    assert found.markers == "generation"
    columns = (found.request, found.index, found.start_ns // 1000, found.end_ns // 1000)
    return list(
        zip([ALL_STAGES[code] for code in found.stage.tolist()], *[column.tolist() for column in columns], strict=True)
    )


def test_steps_lie_between_preparations_and_the_first_is_the_prompts() -> None:
    trace = trace_of(_frame("generate", 0, 100), *_pass(10), *_pass(40), *_pass(60))
    assert _rows(trace) == [("prefill", 0, -1, 0, 40), ("decode", 0, 1, 40, 60), ("decode", 0, 2, 60, 100)]


def test_a_disturbed_step_a_short_prompt_and_two_tokens_are_told_by_the_frames() -> None:
    slow = kernel("k", 70, 500, 41)
    trace = trace_of(_frame("generate", 0, 1000), *_pass(10), *_pass(40), slow, *_pass(600))
    assert [row[0] for row in _rows(trace)] == ["prefill", "decode", "decode"]
    assert [row[0] for row in _rows(trace_of(_frame("generate", 0, 60), *_pass(10), *_pass(40)))] == [
        "prefill",
        "decode",
    ]


def test_a_prompt_in_chunks_is_one_prefill() -> None:
    chunks = [*_pass(10), *_pass(30), *_pass(50)]
    trace = trace_of(_frame("generate", 0, 200), _frame("_prefill", 5, 60), *chunks, *_pass(100), *_pass(140))
    assert _rows(trace) == [("prefill", 0, -1, 0, 100), ("decode", 0, 1, 100, 140), ("decode", 0, 2, 140, 200)]


def test_where_chunks_come_before_the_pass_that_yields_the_first_token_that_is_prefill_too() -> None:
    trace = trace_of(
        _frame("generate", 0, 200), _frame("_prefill_chunking", 5, 40), *_pass(10), *_pass(30), *_pass(60), *_pass(100)
    )
    assert _rows(trace) == [("prefill", 0, -1, 0, 100), ("decode", 0, 1, 100, 200)]


def test_overridden_preparation_that_calls_its_base_is_one() -> None:
    own = _frame("prepare_inputs_for_generation", 39, 4, "transformers/models/llava/modeling_llava.py")
    trace = trace_of(_frame("generate", 0, 100), *_pass(10), own, *_pass(40))
    assert [row[3] for row in _rows(trace)] == [0, 39]


def test_preparation_under_a_librarys_own_name_is_one() -> None:
    events = [_frame("generate", 0, 100), *_pass(10), *_pass(40)]
    own = [dict(event) for event in events]
    for event in own:
        event["name"] = str(event["name"]).replace(
            f"{UTILS}(12): prepare", "unsloth/models/llama.py(12): _fast_prepare"
        )
    assert own != events
    assert _rows(trace_of(*own)) == _rows(trace_of(*events))


def _assisted() -> list[Event]:
    """Two passes of a target, each after a draft that another `generate` makes in two."""
    events = [_frame("generate", 0, 300)]
    for at in (10, 150):
        drafts = [_frame("generate", at + 5, 80), *_pass(at + 10), *_pass(at + 50)]
        events += [_frame("get_candidates", at, 90, "transformers/generation/candidate_generator.py"), *drafts]
        events += _pass(at + 100)
    return events


def test_a_drafts_own_passes_are_no_steps_and_a_pass_that_checks_them_is_no_token() -> None:
    trace = trace_of(*_assisted())
    assert _rows(trace) == [
        ("prefill", 0, -1, 0, 150), ("draft", 0, -1, 10, 100), ("decode", 0, 1, 150, 300), ("draft", 0, -1, 150, 240),
    ]  # fmt: skip
    summary = summarize(trace)
    assert (summary.trace.steps, [(stage.stage, stage.role, stage.ops) for stage in summary.stages]) == (
        "passes",
        [("prefill", "target", 1), ("decode", "target", 1), ("draft", "draft", 4)],
    )
    assert "tpot" not in figures(summary, TRACE)


def test_without_drafts_each_step_is_a_token() -> None:
    summary = summarize(trace_of(_frame("generate", 0, 100), *_pass(10), *_pass(40)))
    assert (summary.trace.steps, "tpot" in figures(summary, TRACE)) == ("tokens", True)


def test_each_call_is_a_request_and_time_between_them_is_nobodys() -> None:
    first = [_frame("generate", 0, 100), module("CLIPVisionModel_0", 5, 4), *_pass(10), *_pass(40)]
    text_only = [_frame("generate", 500, 100), *_pass(510), *_pass(540)]
    trace = trace_of(*first, *text_only)
    assert [row[:3] for row in _rows(trace)] == [
        ("prefill", 0, -1), ("vision", -1, -1), ("decode", 0, 1), ("prefill", 1, -1), ("decode", 1, 1),
    ]  # fmt: skip
    assert summarize(trace).device.between.idle_ns == 400_000


def test_a_request_begins_with_what_is_seen_for_it_before_its_language_model_is_called() -> None:
    def seen(at: float) -> list[Event]:
        return [module("CLIPVisionModel_0", at, 4), module("Blip2QFormerModel_0", at + 5, 3)]

    calls = [
        *seen(100),
        _frame("generate", 120, 60),
        *_pass(130),
        *_pass(150),
        _frame("generate", 200, 60),
        *_pass(210),
    ]
    found = find_stages(trace_of(*calls, *seen(300), _frame("generate", 320, 40), *_pass(330)))
    assert (found.request_start_ns // 1000).tolist() == [100, 200, 300]
    late = trace_of(*seen(100), _frame("generate", 120, 5000), _frame("_sample", 120.1, 4000), *_pass(1300))
    assert (find_stages(late).request_start_ns // 1000).tolist() == [1300]


def test_a_function_of_somebodys_own_of_that_name_is_none() -> None:
    trace = trace_of(_frame("generate", 0, 100, "app/server.py"), *_pass(10), *_pass(40))
    assert (find_stages(trace).markers, find_stages(trace).untold is not None) == ("none", True)


def test_where_the_loop_seems_to_begin_with_the_call_the_recording_began_within_and_its_passes_are_steps() -> None:
    def recorded(loop_at: float, *more: Event) -> list[tuple[str, int, int, int, int]]:
        loop = _frame("_sample", loop_at, 8000 - loop_at)
        return _rows(trace_of(_frame("generate", 0, 9000), loop, *more, *_pass(3000), *_pass(5000)))

    assert recorded(0.5) == [("decode", 0, 1, 3000, 5000), ("decode", 0, 2, 5000, 9000)]
    assert recorded(2500) == [("prefill", 0, -1, 0, 5000), ("decode", 0, 1, 5000, 9000)]
    # A prompt that was still at work: all of its frame is prefill.
    assert recorded(0.5, _frame("_prefill", 0.6, 4000)) == [("prefill", 0, -1, 0, 5000), ("decode", 0, 1, 5000, 9000)]


def test_each_pass_of_a_contrastive_search_looks_at_candidates_and_is_no_token() -> None:
    for name in ("_contrastive_search", "contrastive_search"):
        loop = _frame(name, 200, 800)
        assert summarize(trace_of(_frame("generate", 0, 1000), loop, *_pass(300), *_pass(400))).trace.steps == "passes"
    sampled = trace_of(_frame("generate", 0, 1000), _frame("sample", 200, 800), *_pass(300), *_pass(400))
    assert summarize(sampled).trace.steps == "tokens"


CUSTOM = "transformers_modules/contrastive-search/d9be/custom_generate/generate.py"


def test_a_loop_that_was_fetched_is_a_call_of_generate_within_another_that_makes_no_pass() -> None:
    """`generate` loads the loop, whose function calls `generate` with it again."""
    loop = [_frame("generate", 100, 880, CUSTOM), _frame("generate", 110, 850), *_pass(300), *_pass(400), *_pass(600)]
    steps = [("prefill", 0, -1, 110, 400), ("decode", 0, 1, 400, 600), ("decode", 0, 2, 600, 960)]
    own = trace_of(_frame("generate", 0, 1000), *loop, _frame("my_loop", 200, 700, CUSTOM))
    assert (_rows(own), summarize(own).trace.steps) == (steps, "tokens")
    contrastive = trace_of(_frame("generate", 0, 1000), *loop, _frame("_contrastive_search", 200, 700, CUSTOM))
    assert (_rows(contrastive), summarize(contrastive).trace.steps) == (steps, "passes")


def test_a_call_within_another_that_makes_passes_too_is_a_part_of_its_steps() -> None:
    """As where a model of a speech codec generates the other codebooks of each token."""
    inner = [_frame("generate", 320, 50), *_pass(330), *_pass(350), _frame("generate", 420, 50), *_pass(430)]
    trace = trace_of(_frame("generate", 0, 1000), *_pass(300), *inner, *_pass(400))
    assert _rows(trace) == [("prefill", 0, -1, 0, 400), ("decode", 0, 1, 400, 1000)]


# Prefills and passes that are known of recordings on an H100, and whether a pass is a token.
KNOWN = {
    "hf_assisted": (1, 7, "passes"),
    "hf_prompt_lookup": (1, 6, "passes"),
    "hf_beams": (1, 7, "tokens"),
    "hf_static_compiled": (1, 23, "tokens"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_recordings_with_a_known_number_of_passes(name: str) -> None:
    paths = real_traces(f"{name}.json.gz")
    if not paths:
        pytest.skip(f"no {name} among TRACER_MORE_TRACES")
    summary: Summary = summarize_file(paths[0])
    calls = {stage.stage: stage.calls for stage in summary.stages}
    assert (calls["prefill"], calls["decode"], summary.trace.steps) == KNOWN[name]
    assert summary.device.unattributed.ops <= 1


def test_time_on_the_host_of_a_stage_within_another_counts_once() -> None:
    trace = trace_of(_frame("generate", 0, 100), module("CLIPVisionModel_0", 5, 20), *_pass(30), *_pass(60))
    summary = summarize(trace)
    assert {stage.stage: stage.cpu_ns for stage in summary.stages} == {
        "vision": 20_000, "prefill": 40_000, "decode": 40_000
    }  # fmt: skip

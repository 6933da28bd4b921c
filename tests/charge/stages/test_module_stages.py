"""Traces without markers: stages from the modules' calls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from support.chrome import Event, frame, kernel, launch, module, operator, span, trace_of, write
from torch.profiler import ProfilerActivity, profile

from model.eventgpt.builder import build_staged
from model.registry import ModelOptions
from tracer.charge.stages.find import find_stages, missing_for_stages
from tracer.charge.stages.modules import model_calls, seen_by_modules
from tracer.document.names import ALL_STAGES
from tracer.summarize import summarize, summarize_file
from tracer.trace.columns import Trace, Want


def _call(at: float, length: float, number: int, device_us: float, name: str = "LlamaForCausalLM_0") -> list[Event]:
    return [
        module(name, at, length), module("LlamaDecoderLayer_0", at + 1, length - 2),
        launch(at + 2, 1, number), kernel("k", at + 3, device_us, number),
    ]  # fmt: skip


def _rows(trace: Trace) -> list[tuple[str, int, int, int, int]]:
    found = find_stages(trace)
    assert found.markers in ("modules", "none")
    columns = (found.request, found.index, found.start_ns // 1000, found.end_ns // 1000)
    return list(
        zip([ALL_STAGES[code] for code in found.stage.tolist()], *[column.tolist() for column in columns], strict=True)
    )


def test_vision_projector_prefill_and_steps() -> None:
    trace = trace_of(
        *_call(0, 100, 1, 50, "LlavaForConditionalGeneration_0"),
        module("CLIPVisionModel_0", 10, 30), module("CLIPEncoderLayer_0", 12, 10),
        module("LlavaMultiModalProjector_0", 45, 5),
        *_call(110, 20, 2, 5, "LlavaForConditionalGeneration_0"),
        *_call(140, 20, 3, 5, "LlavaForConditionalGeneration_0"),
    )  # fmt: skip
    assert _rows(trace) == [
        ("prefill", 0, -1, 0, 110),
        ("vision", -1, -1, 10, 40),
        ("projector", -1, -1, 45, 50),
        ("decode", 0, 1, 110, 140),
        ("decode", 0, 2, 140, 160),
    ]


def test_requests_begin_where_vision_does_even_beside_the_language_model() -> None:
    events: list[Event] = []
    for request in range(2):
        at = 1000 * request
        events.append(module("SiglipVisionModel_0", at, 50))
        for k in range(3):
            events += _call(at + 100 + 50 * k, 20, 10 * request + k + 1, 5)
    assert [row[:3] for row in _rows(trace_of(*events))] == [
        ("vision", -1, -1), ("prefill", 0, -1), ("decode", 0, 1), ("decode", 0, 2),
        ("vision", -1, -1), ("prefill", 1, -1), ("decode", 1, 1), ("decode", 1, 2),
    ]  # fmt: skip


def test_without_vision_the_long_calls_are_prefills() -> None:
    times = [30, 5, 5, 6, 31, 5, 4]
    events = [event for i, us in enumerate(times) for event in _call(100 * i, 20, i + 1, us)]
    assert [row[0] for row in _rows(trace_of(*events))] == [
        "prefill", "decode", "decode", "decode", "prefill", "decode", "decode",
    ]  # fmt: skip


def test_passes_that_all_look_alike_are_called_neither_prompts_nor_steps() -> None:
    for first_us in (100, 110):
        events = [event for i in range(11) for event in _call(1000 * i, 20, i + 1, 100 if i else first_us)]
        trace = trace_of(*events)
        found = find_stages(trace)
        assert (len(found), found.untold is not None) == (0, True)
        assert any("which passes of the model are prefill" in one.reason for one in summarize(trace).abstained)
    assert find_stages(trace_of(kernel("k", 0, 1))).untold is None


def _shaped(at: float, number: int, positions: int, keys: int) -> list[Event]:
    """A call whose decoder layer was given so many positions, with so many keys to look at."""
    width, head = [1, positions, 64], [1, 4, positions, 16]
    return [
        *_call(at, 20, number, 5),
        operator("aten::linear", at + 2, 1, **{"Input Dims": [width, [64, 64], []]}),
        operator("aten::scaled_dot_product_attention", at + 4, 1, **{"Input Dims": [head, [1, 4, keys, 16], []]}),
    ]


def _told_by_shapes(*calls: tuple[int, int]) -> list[tuple[str, int, int]]:
    events = [event for i, (positions, keys) in enumerate(calls) for event in _shaped(100 * i, i + 1, positions, keys)]
    return [row[:3] for row in _rows(trace_of(*events))]


def test_shapes_tell_a_prompt_whose_pass_looks_like_a_step() -> None:
    assert _told_by_shapes((32, 32), (1, 33), (1, 34)) == [("prefill", 0, -1), ("decode", 0, 1), ("decode", 0, 2)]
    # With a cache of a fixed length, and a prompt of one token.
    assert _told_by_shapes((32, 256), (1, 256), (32, 256)) == [("prefill", 0, -1), ("decode", 0, 1), ("prefill", 1, -1)]
    assert _told_by_shapes((1, 1), (1, 2), (1, 1)) == [("prefill", 0, -1), ("decode", 0, 1), ("prefill", 1, -1)]


def test_steps_recorded_without_their_prompt_are_steps_where_shapes_say_so() -> None:
    assert _told_by_shapes((1, 40), (1, 41), (1, 42)) == [("decode", -1, 1), ("decode", -1, 2), ("decode", -1, 3)]
    assert _told_by_shapes((1, 40)) == [("decode", -1, 1)]


def test_passes_that_check_several_positions_each_are_called_neither() -> None:
    events = [event for i in range(6) for event in _shaped(100 * i, i + 1, 4, 40 + 3 * i)]
    assert len(find_stages(trace_of(*events))) == 0


def test_a_single_draft_that_is_checked_makes_no_prompt_of_its_pass_and_the_next_turn_of_a_conversation_is_one() -> (
    None
):
    assert _told_by_shapes((20, 20), (1, 21), (3, 24), (1, 23)) == []
    assert [row[:2] for row in _told_by_shapes((20, 20), (1, 21), (40, 61), (1, 62))] == [
        ("prefill", 0), ("decode", 0), ("prefill", 1), ("decode", 1)
    ]  # fmt: skip


def test_where_shapes_are_there_and_do_not_tell_nobody_is_told_to_record_them() -> None:
    events = [event for i in range(6) for event in _shaped(100 * i, i + 1, 4, 40 + 3 * i)]
    untold = find_stages(trace_of(*events)).untold
    assert untold is not None
    assert "behind those in the cache" in untold.reason
    assert "record_shapes" not in untold.next_step


def test_behind_a_picture_a_decoder_that_begins_with_one_position_has_a_prompt() -> None:
    steps = [event for i in range(3) for event in _shaped(100 * i + 50, i + 1, 1, 9)]
    assert [row[0] for row in _rows(trace_of(module("ViTModel_0", 0, 40), *steps))] == [
        "vision", "prefill", "decode", "decode"
    ]  # fmt: skip


def test_a_prompt_in_chunks_is_of_one_request_and_a_draft_behind_it_is_no_chunk() -> None:
    assert _told_by_shapes((4, 4), (4, 8), (2, 10), (1, 11)) == [*[("prefill", 0, -1)] * 3, ("decode", 0, 1)]
    assert _told_by_shapes((4, 4), (4, 8), (1, 6), (1, 7)) == []  # two of the four were refused
    assert _told_by_shapes((20, 20), (3, 23), (1, 24)) == []


def test_a_prompt_longer_than_the_window_of_attention_is_one() -> None:
    assert _told_by_shapes((40, 16), (1, 15), (1, 16)) == [("prefill", 0, -1), ("decode", 0, 1), ("decode", 0, 2)]


def test_steps_that_are_given_all_positions_again_are_steps_and_texts_of_any_length_are_not() -> None:
    again = [(12 + k, 12 + k) for k in range(4)]
    assert _told_by_shapes(*again) == [("prefill", 0, -1), *[("decode", 0, k) for k in (1, 2, 3)]]
    assert _told_by_shapes(*again, (9, 9)) == _told_by_shapes((12, 12), (30, 30), (9, 9)) == []


def test_prompts_alone_may_be_of_anything() -> None:
    for calls in ([(32, 32)], [(32, 32)] * 4, [(32, 32), (30, 30), (9, 9)]):
        events = [event for i, shape in enumerate(calls) for event in _shaped(100 * i, i + 1, *shape)]
        found = find_stages(trace_of(*events))
        assert found.untold is not None
        assert "classifier" in found.untold.reason
    assert _told_by_shapes((32, 32), (1, 33))


def test_where_only_the_head_projects_by_that_operator_attention_tells() -> None:
    events = []
    for i, positions in enumerate((32, 1, 1)):
        at, head = 100 * i, [1, 4, positions, 16]
        events += [*_call(at, 20, i + 1, 5, "GPT2LMHeadModel_0")[:1], module("GPT2Block_0", at + 1, 10)]
        events += [launch(at + 2, 1, i + 1), kernel("k", at + 3, 5, i + 1)]
        attends = [head, [1, 4, 32 + i, 16], []]
        events += [operator("aten::scaled_dot_product_attention", at + 4, 1, **{"Input Dims": attends})]
        events += [operator("aten::linear", at + 15, 1, **{"Input Dims": [[1, 1, 64], [99, 64], []]})]
    assert [row[0] for row in _rows(trace_of(*events))] == ["prefill", "decode", "decode"]


def test_the_passes_of_a_training_are_of_no_request() -> None:
    calls = [event for i, us in enumerate((50, 5, 5)) for event in _call(100 * i, 20, i + 1, us)]
    assert _rows(trace_of(*calls))
    for one in (span("Optimizer.step#AdamW.step", 50, 9), kernel("multi_tensor_apply_kernel", 300, 9)):
        found = find_stages(trace_of(*calls, one))
        assert found.untold is not None
        assert "training" in found.untold.reason


def test_shapes_of_a_damaged_file_tell_nothing() -> None:
    for dims in ("[[1, 32, 64]", 7, [], [[1, "x", 64]], [[1, -3, 64]], [{"a": 1}]):
        events = [*_call(0, 20, 1, 5), *_call(100, 20, 2, 5)]
        events += [operator("aten::linear", at, 1, **{"Input Dims": dims}) for at in (2, 102)]
        assert find_stages(trace_of(*events)).untold is not None


def test_shapes_are_read_only_where_nothing_else_tells(tmp_path: Path) -> None:
    events = [
        event for i, shape in enumerate([(32, 32), (1, 33), (1, 34)]) for event in _shaped(100 * i, i + 1, *shape)
    ]
    summary = summarize_file(write(tmp_path / "alike.json", *events, with_stack=1))
    assert [(stage.stage, stage.calls) for stage in summary.stages] == [("prefill", 1), ("decode", 2)]
    plain = trace_of(*events, with_stack=1)
    silent = replace(plain, cpu_ops=plain.cpu_ops[:0], details=None)
    assert missing_for_stages(silent) & Want.DETAILS
    told = trace_of(
        *[event for i, us in enumerate((50, 5, 5)) for event in _call(100 * i, 20, i + 1, us)], with_stack=1
    )
    assert not missing_for_stages(replace(told, cpu_ops=told.cpu_ops[:0], details=None))


def test_the_first_pass_of_a_call_of_generate_is_the_prompts() -> None:
    def generate(at: float) -> Event:
        return frame("transformers/generation/utils.py(12): generate", at, 290)

    calls = [event for i in range(6) for event in _call(10 + 100 * i, 20, i + 1, 5)]
    kinds = [row[:3] for row in _rows(trace_of(generate(0), generate(300), *calls))]
    assert kinds == [
        ("prefill", 0, -1), ("decode", 0, 1), ("decode", 0, 2), ("prefill", 1, -1), ("decode", 1, 1), ("decode", 1, 2)
    ]  # fmt: skip
    # Some passes are in none.
    assert find_stages(trace_of(generate(0), *calls)).untold is not None


def test_models_without_a_decoder_and_marked_traces_are_left_alone() -> None:
    encoder = [module("Owlv2ForObjectDetection_0", 0, 90), module("Owlv2EncoderLayer_0", 2, 9), kernel("k", 5, 1)]
    assert _rows(trace_of(*encoder)) == []
    marked = find_stages(trace_of(span("tracer/vision", 0, 9), *_call(20, 20, 1, 5)))
    assert marked.markers == "tracer"


def test_generate_of_transformers_splits_by_itself(tmp_path: Path) -> None:
    """Our own network, driven by transformers' loop under a bare profiler: nothing of ours marks it."""
    staged = build_staged(ModelOptions(size="tiny", device="cpu", dtype="float32"))
    inputs = staged.prepare(staged.load())
    with torch.no_grad(), profile(activities=[ProfilerActivity.CPU], with_stack=True, with_modules=True) as profiler:
        staged.generate(inputs, None, max_new_tokens=5)
    path = tmp_path / "generate.json"
    profiler.export_chrome_trace(str(path))
    summary = summarize_file(path)
    assert (summary.trace.markers, summary.trace.steps) == ("generation", "tokens")
    assert [(stage.stage, stage.calls) for stage in summary.stages] == [("vision", 5), ("prefill", 1), ("decode", 4)]
    assert [(token.request, token.index) for token in summary.tokens] == [(0, 1), (0, 2), (0, 3), (0, 4)]
    assert all(stage.device_time_ns for stage in summary.stages)


def test_findings_about_marked_encoders_stay_silent() -> None:
    trace = trace_of(*_call(0, 100, 1, 50), module("CLIPVisionModel_0", 10, 30), *_call(110, 20, 2, 5))
    assert "vision-reencoded" not in [finding.id for finding in summarize(trace).findings]


def test_a_request_is_open_from_what_it_sees_to_its_last_call_and_pauses_lie_between() -> None:
    events: list[Event] = []
    for request in range(2):
        at = 1000 * request
        events.append(module("SiglipVisionModel_0", at, 50))
        for k in range(3):
            events += _call(at + 100 + 50 * k, 20, 10 * request + k + 1, 5)
    found = find_stages(trace_of(*events))
    assert (found.request_start_ns.tolist(), found.request_end_ns.tolist()) == ([0, 1_000_000], [220_000, 1_220_000])
    assert summarize(trace_of(*events)).device.between.idle_ns == 1_000_000 - 220_000


PROMPT, STEP = ("gemm_128x128", "flash_fwd", "norm"), ("gemv", "flash_split_kv", "norm")


def _asking(*rows: tuple[tuple[str, ...], float]) -> list[tuple[str, int]]:
    """Stage and request of calls that each launch these kernels, the last of them so long."""
    events, number = [], 0
    for place, (names, device_us) in enumerate(rows):
        at = 1000 * place
        events += [module("LlamaForCausalLM_0", at, 40), module("LlamaDecoderLayer_0", at + 1, 38)]
        for i, name in enumerate(names):
            number += 1
            length = device_us if i == len(names) - 1 else 1
            events += [launch(at + 2 + i, 1, number), kernel(name, at + 10 + 2 * i, length, number)]
    return [row[:2] for row in _rows(trace_of(*events))]


def test_a_disturbed_step_is_no_prompt() -> None:
    rows = [(PROMPT, 500.0), *[(STEP, 100.0)] * 5, (STEP, 160.0), *[(STEP, 100.0)] * 4]
    assert _asking(*rows) == [("prefill", 0)] + [("decode", 0)] * 10
    # The same without a difference in kernels.
    assert _asking(*[(STEP, us) for _, us in rows]) == [("prefill", 0)] + [("decode", 0)] * 10
    # And without the prompt.
    assert _asking(*[(STEP, us) for _, us in rows[1:]]) == []


def test_a_short_prompt_is_told_by_its_kernels() -> None:
    assert _asking((PROMPT, 102), *[(STEP, 100)] * 4, (PROMPT, 99), (STEP, 100)) == [
        ("prefill", 0), *[("decode", 0)] * 4, ("prefill", 1), ("decode", 1)
    ]  # fmt: skip


def test_a_pass_that_is_neither_like_the_prompt_nor_like_a_step_nor_longer_may_check_a_draft() -> None:
    rows = [(PROMPT, 500.0), *[(STEP, 100.0)] * 4]
    check = ("gemm_32x32", "flash_fwd_32", "norm_32")
    assert _asking(*rows, (check, 104.0), (STEP, 100.0)) == []
    assert _asking(*rows, (check, 300.0), (STEP, 100.0))[5] == ("prefill", 1)


def test_a_first_call_like_the_steps_is_one_unless_it_takes_longer() -> None:
    rows = [*[(STEP, 100.0)] * 4, (PROMPT, 200.0), (STEP, 100.0)]
    assert [stage for stage, _ in _asking(*rows)] == ["decode"] * 4 + ["prefill", "decode"]
    assert _asking((STEP, 300.0), *rows[1:]) == []


def test_texts_that_get_shorter_are_no_prompt_and_its_steps() -> None:
    assert _asking(*[(STEP, us) for us in (100.0, 80.0, 60.0, 50.0, 40.0, 30.0, 20.0)]) == []


def test_two_new_tokens_are_a_prompt_and_a_step() -> None:
    assert _asking((PROMPT, 105), (STEP, 100)) == [("prefill", 0), ("decode", 0)]
    assert _asking((STEP, 250), (STEP, 100)) == [("prefill", 0), ("decode", 0)]


def test_answers_of_one_token_are_prompts_though_most_calls_are() -> None:
    assert [stage for stage, _ in _asking((PROMPT, 500), (STEP, 100), (PROMPT, 500), (PROMPT, 500))] == [
        "prefill", "decode", "prefill", "prefill",
    ]  # fmt: skip


def test_a_kernel_that_changes_as_the_cache_grows_makes_no_prompt() -> None:
    grown = ("gemv",) * 8 + ("flash_split_kv_2", "norm")
    rows = [(PROMPT * 4, 500.0), *[(("gemv",) * 8 + ("flash_split_kv", "norm"), 100.0)] * 3, (grown, 100.0)]
    assert [stage for stage, _ in _asking(*rows)] == ["prefill"] + ["decode"] * 4


def test_a_request_without_a_picture_behind_one_with_a_picture_has_its_own_prompt() -> None:
    events = [module("CLIPVisionModel_0", 0, 8)]
    for place, names in enumerate((PROMPT, STEP, STEP, PROMPT, STEP, STEP)):
        at = 100 * place + 10
        events += [module("LlamaForCausalLM_0", at, 40), module("LlamaDecoderLayer_0", at + 1, 38)]
        for i, name in enumerate(names):
            events += [launch(at + 2 + i, 1, 10 * place + i + 1), kernel(name, at + 10 + 2 * i, 1, 10 * place + i + 1)]
    assert [row[:3] for row in _rows(trace_of(*events))] == [
        ("vision", -1, -1), ("prefill", 0, -1), ("decode", 0, 1), ("decode", 0, 2),
        ("prefill", 1, -1), ("decode", 1, 1), ("decode", 1, 2),
    ]  # fmt: skip


def test_detectors_decode_no_tokens() -> None:
    for layer, whole in (("DetrDecoderLayer_0", "DetrForObjectDetection_0"), ("MyDecoderLayer_0", "MyDetector_0")):
        events: list[Event] = []
        for at in (0, 100, 200):
            events += [module(whole, at, 50), module("Conv2d_0", at + 1, 5), module(layer, at + 10, 30)]
            events += [launch(at + 12, 1, at + 1), kernel("k", at + 15, 3, at + 1)]
        assert _rows(trace_of(*events)) == []


def test_a_language_model_whose_tower_convolves_is_none_of_them() -> None:
    events: list[Event] = []
    for at in (0, 100):
        events += [*_call(at, 50, at + 1, 5), module("CLIPVisionModel_0", at + 3, 9), module("Conv2d_0", at + 4, 2)]
    assert [row[0] for row in _rows(trace_of(*events))] == ["prefill", "vision"] * 2


# Modules (those indented lie in the one before them), and how many are vision and how many projector.
SEEN = {
    ("DonutSwinModel", " DonutSwinLayer"): (1, 0),
    ("JanusVisionModel", "JanusVisionAlignerMLP"): (1, 1),
    ("Blip2VisionModel", "Blip2QFormerModel", " Blip2QFormerLayer"): (1, 1),
    ("Kosmos2VisionModel", "Kosmos2ImageToTextProjection"): (1, 1),
    ("GitVisionModel", "GitProjection"): (1, 1),
    ("TimmWrapperModel", "Gemma3nMultimodalEmbedder"): (1, 1),
    ("Florence2VisionBackbone", "Florence2MultiModalProjector", " Florence2VisionPositionalEmbeddingCosine1D"): (1, 1),
    ("VisionConnector", " CLIPVisionModel"): (1, 1),
    ("CLIPVisionModelWithProjection",): (1, 0),
    ("Qwen2VisionTransformerPretrainedModel", " PatchMerger"): (1, 1),
    ("IdeficsForVisionText2Text", " LlamaDecoderLayer"): (0, 0),
    ("CLIPTextModel", "LlamaModel", " LlamaDecoderLayer"): (0, 0),
}


def test_what_towers_and_projectors_are_called() -> None:
    def counts(names: tuple[str, ...]) -> tuple[int, int]:
        events, at = list[Event](), 0
        for name in names:
            inner = name.startswith(" ")
            at += 0 if inner else 100
            events.append(module(f"{name.strip()}_0", at + 10 * inner, 10 if inner else 50))
        vision, projectors = seen_by_modules(trace_of(*events))
        return len(vision), len(projectors)

    assert {names: counts(names) for names in SEEN} == SEEN


def _layers(at: float, *names: str) -> list[Event]:
    return [module(f"{name}DecoderLayer_{name[-1]}", at + 2 + 3 * place, 2) for place, name in enumerate(names)]


def test_a_module_that_holds_the_loop_over_tokens_is_no_pass_and_what_runs_its_layers_again_is_one() -> None:
    def passes(*events: Event) -> list[str]:
        trace = trace_of(*events)
        found = trace.modules.name[model_calls(trace)].tolist()
        return [trace.strings[name].removeprefix("nn.Module: ") for name in found]

    def step(at: float, name: str, *layers: str) -> list[Event]:
        return [module(f"{name}_0", at, 20), *_layers(at, *layers)]

    model = [*step(10, "LlamaModel", "A0", "A1"), *step(40, "LlamaModel", "A0", "A1")]
    assert passes(module("Chat_0", 0, 100), *model) == ["LlamaModel_0"] * 2
    assert passes(*model) == ["LlamaModel_0"] * 2
    drafting = step(70, "OPTModel", "B0")
    assert passes(module("Chat_0", 0, 100), *model, *drafting) == ["LlamaModel_0", "LlamaModel_0", "OPTModel_0"]
    # Its layers twice in a pass, a layer that parts share, and one that leaves early.
    assert passes(module("OuroModel_0", 0, 100), *_layers(10, "A0", "A1"), *_layers(50, "A0", "A1")) == ["OuroModel_0"]
    shared = [*step(10, "Hybrid", "A0", "B0"), *step(40, "Hybrid", "A0", "B1")]
    assert passes(module("Zamba2Model_0", 0, 100), *shared) == ["Zamba2Model_0"]
    early = [*step(10, "LlamaModel", "A0", "A1"), *step(40, "LlamaModel", "A0")]
    assert passes(module("Chat_0", 0, 100), *early) == ["Chat_0"]

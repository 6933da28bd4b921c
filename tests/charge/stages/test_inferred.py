"""Stages of traces in which nothing but work was recorded: told right, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import DATA, real_traces
from support.chrome import span, trace_of
from support.loops import CHOICE, COPY, LAYER_OF_PROMPT, LAYER_OF_STEP, LAYER_OF_TOWER, Host, answer
from support.truth import told_stages, true_stages

from tracer.arrays import int64
from tracer.charge.stages import inferred
from tracer.charge.stages.find import find_stages
from tracer.charge.stages.likely import ENOUGH
from tracer.charge.stages.ranges import StageRanges
from tracer.charge.work import work_of
from tracer.document.names import ALL_STAGES
from tracer.summarize import summarize
from tracer.trace.columns import Spans, Trace, Want
from tracer.trace.reader import read_trace

RIGHT = 0.99


def _calls(found: StageRanges) -> list[tuple[int, str, int]]:
    """Each request's prefills and steps."""
    kinds = [(int(request), ALL_STAGES[stage]) for request, stage in zip(found.request, found.stage, strict=True)]
    return [(*kind, kinds.count(kind)) for kind in dict.fromkeys(kinds)]


def _shares(trace: Trace, found: StageRanges) -> tuple[float, float]:
    """How much of the device time with an answer has the right one, and how much has an answer."""
    work = work_of(trace, found)
    truth = true_stages(trace, work.call_start_ns, work.call_thread)
    told = told_stages(found, work.call_start_ns, work.call_thread)
    answered = int(work.time_ns[told >= 0].sum())
    return int(work.time_ns[(told >= 0) & (told == truth)].sum()) / answered, answered / int(work.time_ns.sum())


def _found(host: Host) -> StageRanges:
    """The stages of what a host did, which are right wherever they are told."""
    trace = host.trace()
    found = find_stages(trace)
    if len(found):
        assert found.markers == "inferred"
        assert (found.confidence or 0) >= ENOUGH
        assert _shares(trace, found)[0] >= RIGHT
    return found


def test_a_prompt_and_the_steps_of_its_answer() -> None:
    host = Host()
    answer(host, 12)
    assert _calls(_found(host)) == [(0, "prefill", 1), (0, "decode", 12)]
    assert _found(host).index.tolist() == [-1, *range(1, 13)]


def test_of_what_comes_before_the_prompts_pass_nothing_is_claimed() -> None:
    host = Host()
    answer(host, 12, tower=12)
    trace = host.trace()
    found = find_stages(trace)
    assert _calls(found) == [(0, "prefill", 1), (0, "decode", 12)]
    right, answered = _shares(trace, found)
    assert right == 1
    assert answered < 0.95
    abstained = [one.what for one in summarize(trace).abstained]
    assert "what comes before a prompt's pass, as a vision tower" in abstained


def test_each_request_has_its_own_prompt() -> None:
    for tower in (0, 6):
        host = Host()
        for steps in (8, 12, 5):
            answer(host, steps, tower=tower)
        counts = [(request, count) for request, _, count in _calls(_found(host))]
        assert counts == [(0, 1), (0, 8), (1, 1), (1, 12), (2, 1), (2, 5)]


def test_requests_that_are_all_alike_are_no_steps_of_one() -> None:
    host = Host()
    for _ in range(6):
        answer(host, 5)
    assert [count for _, _, count in _calls(_found(host))] == [1, 5] * 6


@pytest.mark.parametrize("copy", ["CopyDeviceToHost", "Memcpy D2M (DEVICE -> MEMORY(Unknown))", "Memcpy D2H"])
def test_what_is_read_back_ends_a_step_by_the_names_of_all_producers(copy: str) -> None:
    host = Host()
    answer(host, 20, choice=(copy,), grow=0.2)
    assert _calls(_found(host)) == [(0, "prefill", 1), (0, "decode", 20)]
    host = Host()
    answer(host, 20, choice=("CopyHostToDevice",), grow=0.2)
    assert _calls(_found(host)) == []


ALIKE_BUT_FOR_SIZES = tuple(name.replace("gemv", "gemm_128").replace("splitkv", "fwd") for name in LAYER_OF_STEP)


@pytest.mark.parametrize("requests", [2, 3])
def test_a_later_prompt_of_as_many_kernels_as_a_step_is_none(requests: int) -> None:
    host = Host()
    for _ in range(requests):
        answer(host, 12, prompt=ALIKE_BUT_FOR_SIZES)
    counts = [(request, count) for request, _, count in _calls(_found(host))]
    assert counts == [(request, count) for request in range(requests) for count in (1, 12)]


ALIKE_BUT_FOR_PRODUCTS = tuple(name.replace("gemv", "gemm_64") for name in LAYER_OF_STEP)
BATCHED = tuple(name.replace("gemv", "gemm_32") for name in LAYER_OF_STEP)


@pytest.mark.parametrize("each", [LAYER_OF_STEP, BATCHED])
def test_a_prompt_of_as_many_kernels_as_a_step_that_attends_alike_is_no_step(each: Sequence[str]) -> None:
    host = Host()
    for layer, stage, times in ((ALIKE_BUT_FOR_PRODUCTS, "prefill", 1), (each, "decode", 20)):
        for _ in range(times):
            begun = host.now
            rest = [name for name in layer for _ in range(1 if "gemm" in name else 2)]  # products are few of all
            host.ask(("embedding", *rest * 6, "norm", "gemm_head", *CHOICE), attention_us=2 + begun / 5e4)
            host.stage(stage, begun)
    assert [stage for _, stage, _ in _calls(_found(host))][-1] == "decode"
    assert _calls(_found(host))[-1][2] == 20


def test_turns_of_a_conversation_as_long_as_there_are_layers_have_their_own_prompts() -> None:
    host = Host()
    for _ in range(3):
        answer(host, 4, layers=4)
    assert [count for _, _, count in _calls(_found(host))] == [1, 4] * 3


def test_an_answer_goes_on_where_attention_takes_one_kernel_more() -> None:
    host = Host()
    answer(host, 12)
    for step in range(5):
        begun = host.now
        layer = [part for name in LAYER_OF_STEP for part in ((name, "combine") if name == "flash_splitkv" else (name,))]
        host.ask(("embedding", "arange", *layer * 4, "norm", "gemv_head", *CHOICE))
        host.stage(f"decode#{step + 13}", begun)
    assert _calls(_found(host)) == [(0, "prefill", 1), (0, "decode", 17)]
    # What asks for something else does not.
    for _ in range(5):
        host.ask(("time_embed", *UNET * 4, "conv_out", "scheduler_step", COPY))
    assert _calls(_found(host)) == [(0, "prefill", 1), (0, "decode", 17)]


def test_what_a_step_reads_back_in_front_of_its_layers_ends_none() -> None:
    host = Host()
    for layer, stage, times in ((LAYER_OF_PROMPT, "prefill", 1), (LAYER_OF_STEP, "decode", 12)):
        for _ in range(times):
            begun = host.now
            host.ask(("embedding", "all", COPY, *layer * 4, "norm", "gemm_head", *CHOICE))
            host.stage(stage, begun)
    assert _calls(_found(host)) == [(0, "prefill", 1), (0, "decode", 12)]
    found = find_stages(host.trace())
    assert _shares(host.trace(), found)[0] == 1


def _experts(host: Host, most: int, product: str, layers: int = 4) -> list[str]:
    """Kernels of layers that send tokens to experts, to as many of them as chance has it."""
    names: list[str] = []
    for _ in range(layers):
        names += ["norm", f"{product}_qkv", "copy_k", "copy_v", "flash_fwd" if product == "gemm" else "flash_splitkv"]
        names += [f"{product}_o", "norm", "router_softmax", "gatherTopK", "nonzero"]
        for _ in range(host.noise.randint(1, most)):
            few = host.noise.choice((product, "gemm"))
            names += ["index", f"{few}_up", "silu", f"{few}_down", "index_add"]
    return names


def test_steps_that_send_tokens_to_other_experts_each_time() -> None:
    host = Host()
    for product, stage, times in (("gemm", "prefill", 1), ("gemv", "decode", 16)):
        for _ in range(times):
            begun = host.now
            host.ask(("embedding", *_experts(host, 5, product), "norm", "gemv_head", *CHOICE))
            host.stage(stage, begun)
    assert _calls(_found(host)) == [(0, "prefill", 1), (0, "decode", 16)]


def test_batches_of_a_classifier_with_experts_are_no_steps() -> None:
    host = Host()
    for _ in range(16):
        host.ask(("embedding", *_experts(host, 5, "gemm"), "pool", "gemm_head", *CHOICE))
    assert not len(find_stages(host.trace()))


def _lacking(trace: Trace, op: int) -> Trace:
    return replace(trace, ops=trace.ops[np.delete(np.arange(len(trace.ops)), op)])


def test_of_steps_that_are_not_whole_nothing_is_claimed() -> None:
    host = Host()
    answer(host, 12, tower=4)
    trace = host.trace()
    found = find_stages(_lacking(trace, len(trace.ops) - 3))
    assert found.untold is not None
    assert "1 launch among them has no device op" in found.untold.reason
    # What comes before them is nobody's anyway.
    assert len(find_stages(_lacking(trace, 2))) == len(find_stages(trace)) == 13


def test_a_prompt_as_long_as_a_step_whose_layers_are_not_seen_is_no_step_between_others() -> None:
    host = Host()
    answer(host, 12)
    begun = host.now
    rest = ["norm", "rotary", "copy_k", "copy_v", "silu"] * 7
    host.noise.shuffle(rest)
    host.ask(("embedding", "arange", *rest[:34], "flash_splitkv", *["gemm_128"] * 8, *CHOICE), 2.2)
    host.stage("prefill", begun)
    answer(host, 12, prompt=())
    found = _found(host)
    assert sum(count for _, stage, count in _calls(found) if stage == "decode") == 24


def test_a_tower_of_as_many_layers_is_no_prompt_where_that_was_not_recorded() -> None:
    host = Host()
    answer(host, 20, prompt=(), tower=4, grow=0.2)
    assert _calls(_found(host)) == [(0, "decode", 20)]


def test_a_later_prompt_of_as_many_kernels_is_no_step_in_the_midst_of_others() -> None:
    host = Host()
    prompt = (
        "norm",
        "gemm_128",
        "rotary",
        "copy_k",
        "copy_v",
        "attn_prefill",
        "gemm_o",
        "norm",
        "gemm_up",
        "silu",
        "g_d",
    )
    for _ in range(2):
        answer(host, 12, prompt=prompt)
    assert [count for _, stage, count in _calls(_found(host)) if stage == "decode"] == [12, 12]


@pytest.mark.parametrize("layers", [2, 3, 32, 80])
def test_of_any_depth(layers: int) -> None:
    host = Host()
    answer(host, 6, layers=layers)
    assert _calls(_found(host)) == [(0, "prefill", 1), (0, "decode", 6)]


def test_replays_of_a_graph_are_steps_like_others() -> None:
    host = Host()
    answer(host, 12, graph=True, layers=16, tower=4)
    assert _calls(_found(host)) == [(0, "prefill", 1), (0, "decode", 12)]


def test_a_last_step_that_asks_for_a_little_less_is_one_and_what_chooses_in_another_way_is_none() -> None:
    """As where nothing is prepared behind the last token."""
    short = (*LAYER_OF_STEP * 4, "norm", "gemv_head", *CHOICE)
    for last, steps in ((short, 13), ((*LAYER_OF_TOWER * 6, *CHOICE), 12), (short[:-8], 12)):
        host = Host()
        for _ in range(2):
            answer(host, 12)
            begun = host.now
            host.ask(last)
            host.stage("decode#13" if steps == 13 else "vision", begun)
        assert [count for _, _, count in _calls(_found(host))] == [1, steps] * 2


def test_steps_without_their_prompt_are_told_by_growing_attention_alone() -> None:
    host = Host()
    answer(host, 20, prompt=(), grow=0.2)
    assert _calls(_found(host)) == [(0, "decode", 20)]
    host = Host()
    answer(host, 20, prompt=())
    assert not len(_found(host))


def test_a_single_position_is_multiplied_as_a_vector_where_attention_has_no_kernel_of_its_own() -> None:
    for vector, told in (("gemvx", True), ("gemm_8", False)):
        host = _repeated(
            ("embedding", *("norm", "gemm_128", "softmax", "gemm_128", "silu") * 6, "gemm_head", *CHOICE),
            ("embedding", *("norm", "gemm_8", "softmax", vector, "silu") * 6, "gemm_head", *CHOICE),
        )
        assert (len(find_stages(host.trace())) > 0) is told


@pytest.mark.parametrize("kept", [("CatArrayBatchedCopy",) * 2, ("index_copy_kernel",), ("reshape_and_cache",)])
def test_a_step_without_vectors_attends_by_another_kernel_and_keeps_what_it_attends_to(kept: tuple[str, ...]) -> None:
    step = ("gemm_8", *ROTATED, *kept, "flash_small", "norm_8", "silu_8")
    prompt = ("gemm_128", *ROTATED, *kept, "flash_large", "norm_128", "silu_128")
    host = _repeated(("embedding", *prompt * 6, "gemm_head", *CHOICE), ("embedding", *step * 6, "gemm_head", *CHOICE))
    assert len(find_stages(host.trace()))


def _repeated(first: Sequence[str], each: Sequence[str], us: float = 2.0) -> Host:
    host = Host()
    host.ask(first, us)
    for _ in range(20):
        host.ask(each)
    return host


UNET = ("conv_3x3", "group_norm", "silu", "conv_3x3", "flash_fwd", "gemm_a", "gemm_b", "add")
TEXT = ("embedding", *LAYER_OF_TOWER * 4, "norm")
ROTATED = ("neg_kernel_cuda", "CatArrayBatchedCopy") * 2
BLOCK = ("gemm", "flash_fwd", "norm", "gelu")
NO_STEPS = {
    "diffusion": _repeated(TEXT, ("time_embed", *UNET * 4, "upsample_nearest", "conv_out", "scheduler_step", COPY)),
    "a diffusion that reads nothing back": _repeated(TEXT, ("time_embed", *UNET * 4, "conv_out", "scheduler_step")),
    "a diffusion behind as many layers": _repeated(
        TEXT, ("time_embed", *BLOCK * 4, "conv_out", "scheduler_step", COPY)
    ),
    "a classifier": _repeated((), ("to", *("conv", "bn", "relu") * 20, "pool", "fc", "argmax", COPY)),
    "a transformer that classifies, its first batch by other kernels": _repeated(
        ("to", *("gemm_tried", "flash_fwd", "norm", "gelu") * 12, "pool", "fc", "argmax", COPY),
        ("to", *BLOCK * 12, "pool", "fc", "argmax", COPY),
    ),
    "a transformer that classifies, its first batch slow": _repeated(
        ("to", *BLOCK * 12, "pool", "fc", "argmax", COPY), ("to", *BLOCK * 12, "pool", "fc", "argmax", COPY), 10
    ),
    "a transformer that classifies, its first batch attended by another kernel": _repeated(
        ("to", *("gemm_long", "fmha_long", "norm", "gelu") * 12, "pool", "fc", "argmax", COPY),
        ("to", *BLOCK * 12, "pool", "fc", "argmax", COPY),
        9,
    ),
    "a transformer that classifies with rotated positions, its first batch attended by another kernel": _repeated(
        ("to", *("gemm_long", *ROTATED, "fmha_long", "norm", "gelu") * 12, "pool", "fc", "argmax", COPY),
        ("to", *("gemm", *ROTATED, "flash_fwd", "norm", "gelu") * 12, "pool", "fc", "argmax", COPY),
        9,
    ),
    "a transformer that classifies one text a batch but for the first": _repeated(
        ("to", *("gemm_256", "flash_fwd", "norm", "gelu") * 12, "pool", "gemm_head", "argmax", COPY),
        ("to", *BLOCK * 12, "pool", "gemv_head", "argmax", COPY),
    ),
    "training": _repeated(
        TEXT, ("to", *BLOCK * 8, "argmax", *("flash_bwd", "norm_backward", "gemm") * 8, "multi_tensor_apply", COPY)
    ),
    "prompts behind one another": _repeated((), ("embedding", *LAYER_OF_PROMPT * 6, "norm", "gemm_head", *CHOICE)),
    "prompts behind a longer one": _repeated(
        ("embedding", *("norm", "gemm_512", "flash_fwd<512>", "gemm_512", "silu") * 6, "gemm_head", *CHOICE),
        ("embedding", *("norm", "gemm_128", "flash_fwd<128>", "gemm_128", "silu") * 6, "gemm_head", *CHOICE),
        9,
    ),
    "layers alone": _repeated(("embedding",), LAYER_OF_STEP),
    "experts behind attention": _repeated(TEXT, (*BLOCK, "topk", "sort", *("gemm_expert", "silu", "add") * 4, COPY)),
    "experts, which are chosen in each layer": _repeated(TEXT, ("norm", "topk", "sort", *("gemm_expert", "silu") * 4)),
    "two kernels": _repeated((), ("a", "b")),
    "one kernel": _repeated((), ("a",)),
}


@pytest.mark.parametrize("name", NO_STEPS)
def test_what_only_repeats_has_no_stages(name: str) -> None:
    assert not len(find_stages(NO_STEPS[name].trace()))


def test_what_is_nearly_sure_is_said_and_not_claimed() -> None:
    found = find_stages(NO_STEPS["a classifier"].trace())
    assert found.untold is not None
    assert "the same kernels ran 20 times" in found.untold.reason
    assert f"below {ENOUGH}" in found.untold.reason
    assert find_stages(NO_STEPS["a diffusion that reads nothing back"].trace()).untold is None


def test_where_repetition_is_unsure_the_files_own_ranges_are_named_and_its_absence_of_any_is_not() -> None:
    host = NO_STEPS["a classifier"]
    (bare,) = (row for row in summarize(host.trace()).abstained if row.what == "stages")
    (named,) = (
        row for row in summarize(trace_of(*host.events, span("my pass", 0, host.now))).abstained if row.what == "stages"
    )
    assert named.reason.startswith(bare.reason)
    assert "'my pass'" in named.reason
    assert named.next_step.startswith("say which ranges are stages")
    assert named.next_step.endswith(f"else {bare.next_step}")
    assert "range" not in bare.reason


def test_where_two_threads_ask_there_is_no_one_order() -> None:
    host = Host()
    answer(host, 12)
    trace = host.trace()
    odd = np.arange(len(trace.calls)) % 2
    two = replace(trace, calls=replace(trace.calls, thread=odd.astype(np.int32)), threads=[("100", "1"), ("100", "2")])
    assert (len(find_stages(trace)) > 0, len(find_stages(two))) == (True, False)


def test_nothing_is_looked_for_where_a_mark_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    answer(host, 12)
    assert find_stages(host.trace()).markers == "inferred"

    def refuse(_: Trace) -> None:
        raise AssertionError("repetition was looked for")

    monkeypatch.setattr(inferred, "sequence_of", refuse)
    host.events.append(span("tracer/decode#1", 0, 50))
    assert find_stages(host.trace()).markers == "tracer"


@pytest.mark.parametrize(("name", "steps"), [("hf_beams", 3), ("hf_static_compiled", 12)])
def test_recordings_of_generate_without_stacks_and_marks(name: str, steps: int) -> None:
    trace = read_trace(DATA / "bare" / f"{name}.json.gz", Want.SUMMARY)
    found = find_stages(trace)
    assert found.markers == "inferred"
    assert {stage: count for _, stage, count in _calls(found)} == {"prefill": 1, "decode": steps}
    assert _shares(trace, found)[0] >= RIGHT


def test_whatever_recordings_have_marks_are_told_right_without_them_or_not_at_all(chrome_trace: Path) -> None:
    trace = read_trace(chrome_trace, Want.SUMMARY | Want.MODULES)
    bare = replace(trace, ranges=Spans.none(), modules=Spans.none(), generation=Spans.none())
    found = find_stages(bare)
    # Of these files none holds a whole answer: trainings, encoders, single steps of servers.
    assert not len(found)


KNOWN = ("hf_beams", "hf_static_compiled", "memory_stages", "hf_assisted", "hf_prompt_lookup")


@pytest.mark.parametrize("name", KNOWN)
def test_more_recordings_with_marks_are_told_right_without_them_or_not_at_all(name: str) -> None:
    paths = real_traces(f"{name}.json.gz")
    if not paths:
        pytest.skip(f"no {name} among TRACER_MORE_TRACES")
    trace = read_trace(paths[0], Want.SUMMARY | Want.MODULES)
    marked = find_stages(trace)
    bare = replace(trace, ranges=Spans.none(), modules=Spans.none(), generation=Spans.none())
    found = find_stages(bare)
    # Passes of a target and its draft, or of several tokens each, are no steps that repeat.
    assert (len(found) > 0) == (name not in ("hf_assisted", "hf_prompt_lookup"))
    work, other = work_of(trace, marked), work_of(bare, found)
    truth = int64(np.append(marked.stage, -1)[work.stage])
    told = int64(np.append(found.stage, -1)[other.stage]) if len(found) else np.full(len(truth), -1)
    both = (told >= 0) & (truth >= 0)
    assert int(work.time_ns[both & (told == truth)].sum()) >= RIGHT * int(work.time_ns[both].sum())


@pytest.mark.parametrize("lost", ["first", "last", "none"])
def test_what_was_lost_beside_inferred_stages_may_be_of_them(data: Path, lost: str) -> None:
    trace = read_trace(data / "bare/hf_static_compiled.json.gz", Want.SUMMARY, jobs=1)
    order = np.argsort(trace.ops.start_ns, kind="stable")
    kept = {"first": order[80:], "last": order[:-800], "none": order}[lost]
    summary = summarize(replace(trace, ops=trace.ops[np.sort(kept)]))
    assert summary.trace.markers == "inferred"
    unknown = {stage.stage for stage in summary.stages if stage.device_time_ns is None}
    assert unknown == {"first": {"prefill"}, "last": {"decode"}, "none": set()}[lost]
    about = {"first": "prefill", "last": "decode", "none": ""}[lost]
    assert not about or f"finding launch-bound of {about}" in [one.what for one in summary.abstained]
    steps = [token for token in summary.tokens if token.device_time_ns is not None]
    assert len(steps) == {"first": 12, "last": 6, "none": 12}[lost]

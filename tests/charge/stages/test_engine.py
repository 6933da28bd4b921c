"""What the labels of serving engines mean: each form that they are written in, and what lies beside the steps."""

from __future__ import annotations

import pytest
from support.chrome import Event, kernel, launch, span, trace_of

from tracer.charge.stages.batch import NO_LABEL, NOBODY, Group, Label
from tracer.charge.stages.executes import executes
from tracer.charge.stages.find import find_stages
from tracer.charge.stages.ranges import StageRanges
from tracer.document.names import ALL_STAGES


def _found(*events: Event) -> StageRanges:
    return find_stages(trace_of(*events, kernel("k", 0, 1)))


def _stages(*names: str) -> list[str]:
    found = _found(*[span(name, 100 * i, 50) for i, name in enumerate(names)])
    return [ALL_STAGES[code] for code in found.stage.tolist()]


def _label(name: str) -> Label:
    (label,) = _found(span(name, 0, 50)).labels
    return label


@pytest.mark.parametrize(
    ("name", "context", "generation"),
    [
        ("execute_context_2(6144)_generation_3(3)", Group(2, 6144), Group(3, 3)),
        ("execute_context_0(0)_generation_64(256)", NOBODY, Group(64, 256)),
        (
            "execute_6147_context_2(sq6144sk7144sqsq20971520sqsk23019520)_generation_3(sq3sk6144sqsq3sqsk6144)",
            Group(2, 6144, 7144, 20971520, 23019520),
            Group(3, 3, 6144, 3, 6144),
        ),
        ("execute_8192_context_9(sq8155sk8430)_generation_37(sq37sk34489)", Group(9, 8155, 8430), Group(37, 37, 34489)),
        ("execute_context_1(888_788544)_generation_0(0)", Group(1, 888, None, 788544), NOBODY),
        ("execute_context_1(what)_generation_0(0)", Group(1), NOBODY),
        ("execute_context_1(888)_generation_12(1", Group(1, 888), Group(12)),  # cut off
        ("execute_6_context_1(sq6sk7sqsq36sqsk42)_generation_0(", Group(1, 6, 7, 36, 42), NOBODY),
        ("execute_8_context_0_generation_2", NOBODY, Group(2, 8)),
        ("execute_9_context_1_generation_2", Group(1), Group(2)),
    ],
)
def test_every_form_of_vllms_labels_is_kept(name: str, context: Group, generation: Group) -> None:
    label = _label(name)
    assert (label.context, label.generation) == (context, generation)
    assert label.requests == (context.requests or 0) + (generation.requests or 0)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("step[EXTEND bs=1 toks=512]", Label("EXTEND", 1, Group(1, 512), NOBODY)),
        ("step[DECODE bs=32]", Label("DECODE", 32, NOBODY, Group(32, 32))),
        ("step[MIXED bs=2]", Label("MIXED", 2)),
        ("step[decode bs=32]", Label("DECODE", 32, NOBODY, Group(32, 32))),
        ("step[mixed bs=5 ext=512 dec=4]", Label("MIXED", 5, Group(None, 512), Group(4, 4))),
        (
            "step[DECODE bs=2 g_sqsq=2 g_sqsk=30 g_sk=30]",
            Label("DECODE", 2, NOBODY, Group(2, 2, 30, 2, 30)),
        ),
        (
            "step[EXTEND bs=2 toks=12 c_sq=12 c_sqsq=80 c_sqsk=120 c_sk=20]",
            Label("EXTEND", 2, Group(2, 12, 20, 80, 120), NOBODY),
        ),
        (
            "step[MIXED bs=2 c=1 g=1 c_sq=5 c_sk=8 c_sqsq=25 c_sqsk=40 g_sq=1 g_sk=12 g_sqsq=1 g_sqsk=12]",
            Label("MIXED", 2, Group(1, 5, 8, 25, 40), Group(1, 1, 12, 1, 12)),
        ),
        ("step[TARGET_VERIFY bs=4]", Label("TARGET_VERIFY", 4, NOBODY, Group(4))),
        (
            "step[TARGET_VERIFY bs=2 g_sq=8 g_sqsq=32 g_sqsk=120 g_sk=30]",
            Label("TARGET_VERIFY", 2, NOBODY, Group(2, 8, 30, 32, 120)),
        ),
        ("draft step[TARGET_VERIFY bs=2]", Label("DRAFT_TARGET_VERIFY", 2, NOBODY, Group(2))),
        (
            "step[DRAFT_EXTEND_V2 bs=2 c_sq=5 c_sqsq=13 c_sqsk=93 c_sk=35]",
            Label("DRAFT_EXTEND_V2", 2, NOBODY, Group(2, 5, 35, 13, 93)),
        ),
        ("prefill[bs=2 tok=9 ctx=[5, 4]]", Label("prefill", 2, Group(2, 9), NOBODY)),
        (
            "prefill[bs=6 tok=30 ctx=[4, 4, 4]...+3 sqsq=154 sqsk=170 sk=34 tbo=1]",
            Label("prefill", 6, Group(6, 30, 34, 154, 170), NOBODY),
        ),
        ("decode[bs=117/128 tok=117 d=117]", Label("decode", 117, NOBODY, Group(117, 117))),
        ("eager_decode[bs=4 tok=4 ctx=[9, 9, 9, 9]]", Label("eager_decode", 4, NOBODY, Group(4, 4))),
        (
            "decode[bs=3 tok=12 d=3 spec=3 sqsq=48 sqsk=240 sk=60]",
            Label("decode", 3, NOBODY, Group(3, 12, 60, 48, 240)),
        ),
        ("decode[bs=128 tok=384 p=2 d=126 sqsq=9 sqsk=9 sk=9]", Label("decode", 128, Group(2), Group(126))),
        ("decode[bs=117/128 tok=11", Label("decode", 117, NOBODY, Group(117))),  # cut off
        ("[Executor] _forward_step 7: 2 ctx reqs, 512 ctx tokens, 3 gen reqs", Label("", 5, Group(2, 512), Group(3))),
        ("[Executor] _forward_step: 0 ctx reqs, 4 gen reqs", Label("", 4, NOBODY, Group(4))),
        ("step[DECODE smc-head-graph bs=8 toks=16]", Label("DECODE", 8, NOBODY, Group(8, 8))),
        ("step[DECODE bs=32 g_sq=32 g_sk=30", Label("DECODE", 32, NOBODY, Group(32, 32))),  # cut off
        ("step[EXTEND bs=12 toks=51", Label("EXTEND", 12, Group(12), NOBODY)),
        ("step[DECODE bs=3", Label("DECODE", None, NOBODY, Group())),
    ],
)
def test_every_form_of_other_engines_labels_is_kept(name: str, label: Label) -> None:
    assert _label(name) == label


def test_numbers_that_no_engine_writes_are_none() -> None:
    assert executes(f"execute_context_1({'9' * 40})_generation_0(0)") == Label("", 1, Group(1), NOBODY)
    assert executes("execute_context_١(8)_generation_0(0)") == Label("", None, Group(None, 8), NOBODY)
    assert executes("execute_new_1_cached_0") is None


def test_causal_attention_sees_what_is_before_a_token_and_itself() -> None:
    """Two prompts: 3 tokens behind none, 2 behind 5 cached ones: 1 + 2 + 3 and 6 + 7 pairs."""
    sums = Group(2, 5, 3 + 7, 9 + 4, 9 + 14)
    assert sums.pairs == 19
    assert Group(2, 5, 10).pairs is None
    for wrong in (Group(1, 1, 1, 99, 1), Group(2, 5, 10, 4, 23), Group(2, 5, 10, 26, 23), Group(2, 5, 10, 13, 51)):
        assert wrong.pairs is None  # no sums of any requests
    assert NOBODY.pairs == 0


def test_verifying_decodes_and_drafting_is_a_stage_of_its_own() -> None:
    names = (
        "step[EXTEND bs=1 toks=9]",
        "step[TARGET_VERIFY bs=1]",
        "step[DRAFT_EXTEND bs=1]",
        "step[TARGET_VERIFY bs=1]",
    )
    found = _found(*[span(name, 100 * i, 50) for i, name in enumerate(names)])
    assert [ALL_STAGES[code] for code in found.stage.tolist()] == ["prefill", "decode", "draft", "decode"]
    assert found.index.tolist() == [-1, 1, -1, 2]
    assert set(zip(found.stage.tolist(), found.roles, strict=True)) == {(4, ""), (5, "target"), (6, "draft")}
    assert not found.tokens  # a pass yields what it accepts


@pytest.mark.parametrize("mode", ["DRAFT", "DRAFT_DECODE", "DRAFT_EXTEND", "DRAFT_EXTEND_V2"])
def test_each_mode_of_a_draft_model_is_known(mode: str) -> None:
    assert _stages("step[TARGET_VERIFY bs=1]", f"step[{mode} bs=1]") == ["decode", "draft"]


@pytest.mark.parametrize("mode", ["TARGET_VERIFY", "VERIFY"])
def test_each_mode_that_verifies_decodes(mode: str) -> None:
    assert _stages(f"step[{mode} bs=4]") == ["decode"]


def test_a_draft_model_decodes_where_the_target_verifies_and_else_the_model_itself() -> None:
    assert _stages("step[DECODE bs=1]", "step[TARGET_VERIFY bs=1]") == ["draft", "decode"]
    alone = _found(span("step[DECODE bs=1]", 0, 50))
    assert ALL_STAGES[alone.stage[0]] == "decode"
    assert alone.tokens
    assert alone.roles == ()


def _asking(*steps: tuple[str, int]) -> list[str]:
    """Stages of steps that each ask for so many kernels."""
    events: list[Event] = []
    for place, (name, ops) in enumerate(steps):
        events.append(span(name, 100 * place, 90))
        for k in range(ops):
            number = 100 * place + k + 1
            events += [launch(100 * place + k, 1, number), kernel("k", 100 * place + k + 2, 1, number)]
    return [ALL_STAGES[code] for code in find_stages(trace_of(*events)).stage.tolist()]


def test_the_drafts_pass_over_a_prompt_is_told_by_the_targets_of_the_same_label_before_it() -> None:
    long, short = "step[EXTEND bs=1 toks=512]", "step[EXTEND bs=1 toks=100]"
    verify = "step[TARGET_VERIFY bs=1]"
    assert _asking((long, 60), (long, 5), (verify, 60)) == ["prefill", "draft", "decode"]
    # A prompt in chunks; two prompts alike, each with its own.
    assert _asking((long, 60), (long, 5), (long, 60), (long, 5), (short, 60), (short, 5)) == ["prefill", "draft"] * 3
    # The target's own next prompt, and one of another length.
    assert _asking((long, 60), (long, 60), (verify, 60)) == ["prefill", "prefill", "decode"]
    assert _asking((long, 60), (short, 5), (verify, 60)) == ["prefill", "prefill", "decode"]


def test_without_speculation_a_single_prompt_that_asks_for_less_is_none_of_a_draft() -> None:
    label, step = "step[EXTEND bs=1 toks=512]", "step[DECODE bs=1]"
    assert _asking((label, 60), (label, 5), (step, 60)) == ["prefill", "prefill", "decode"]
    others = [(f"step[EXTEND bs=1 toks={count}]", 60) for count in range(10, 18)]
    assert set(_asking((label, 60), (label, 5), *others, (label, 60), (label, 5))) == {"prefill"}


def test_the_replay_of_all_of_a_drafts_passes_is_a_draft_of_as_many_requests_as_it_has() -> None:
    assert _stages("step[DRAFT_LOOP raw_bs=3 bs=4 topk=1]", "step[TARGET_VERIFY bs=3]") == ["draft", "decode"]
    assert _found(span("step[DRAFT_LOOP raw_bs=3 bs=4 topk=1]", 0, 9)).labels[0].requests == 3


V, E, D, P, IDLE = (f"step[{mode} bs=1]" for mode in ("TARGET_VERIFY", "DRAFT_EXTEND", "DECODE", "EXTEND", "IDLE"))


@pytest.mark.parametrize(
    ("steps", "of_draft"),
    [
        ([P, D, D, V, E, D, D, V, E], [1, 2, 4, 5, 6, 8]),
        ([P, D, D, D, D, D, V, E, D, D, V, E], [4, 5, 7, 8, 9, 11]),  # three by itself, then rounds of two
        ([D, D, V, E, D, D, V, E, P, D, D, D, D], [0, 1, 3, 4, 5, 7]),  # rounds, then by itself
        ([D, D, V, E, D, D, V, E, D, D, P], [0, 1, 3, 4, 5, 7]),  # nothing checks the last two
        ([D, D, V, E, D, D, V, E, D], [0, 1, 3, 4, 5, 7, 8]),  # cut off inside a round
        ([D, V, D, V, D], [0, 2, 4]),
        ([D, IDLE, D, V, E, IDLE, D, D, V], [0, 1, 3, 4, 5]),
        ([P, D, D, D], []),
    ],
)
def test_of_the_steps_that_decode_a_drafts_are_those_that_the_target_checks(
    steps: list[str], of_draft: list[int]
) -> None:
    """Of waiting steps there is no stage, so that they are not counted."""
    found = _stages(*steps)
    assert [place for place, stage in enumerate(found) if stage == "draft"] == of_draft
    rest = [stage for place, stage in enumerate(found) if place not in of_draft]
    kept = [step for place, step in enumerate(one for one in steps if one != IDLE) if place not in of_draft]
    assert rest == ["prefill" if step == P else "decode" for step in kept]


def test_waiting_steps_are_no_stage_and_end_the_one_before() -> None:
    events = [span("step[DECODE bs=1]", 0, 100), span("step[IDLE bs=0]", 120, 50), launch(130, 5, 1)]
    found = _found(*events, span("step[DECODE bs=1]", 200, 100))
    assert (found.start_ns / 1000).tolist() == [0, 200]
    assert found.end_ns[0] / 1000 <= 120
    assert _stages("step[PREBUILT bs=1]", "step[IDLE]", "step[DLLM_EXTEND bs=1]", "step[EXTEND bs=1 toks=1]") == [
        "prefill"
    ]


@pytest.mark.parametrize(
    ("alone", "beside"),
    [
        ("execute_context_0(0)_generation_0(0)", "execute_context_0(0)_generation_1(1)"),
        ("step[DECODE bs=0]", "step[DECODE bs=1]"),
    ],
)
def test_a_step_that_holds_no_request_is_of_no_stage(alone: str, beside: str) -> None:
    """A rank whose requests are over runs along with the others."""
    assert _stages(alone, beside, alone) == ["decode"]


@pytest.mark.parametrize("name", ["execute_context_1(888)_generation_2", "step[DEC", "step[DECODE bs=1 [2"])
def test_a_name_that_was_cut_off_before_it_says_a_stage_says_none(name: str) -> None:
    assert _found(span(name, 0, 50)).markers == "none"


def test_where_drafting_has_ranges_they_tell_what_the_draft_does_and_nothing_is_guessed() -> None:
    """A replay of the draft's graph has no step around it, and a step of the draft's lies within."""
    events = [
        span("step[EXTEND bs=1 toks=9]", 0, 50), launch(10, 5, 1),
        span("draft_extend", 60, 40), span("step[EXTEND bs=1 toks=9]", 65, 30), launch(70, 5, 2),
        span("draft", 110, 30), launch(120, 5, 3),
        span("step[TARGET_VERIFY bs=1]", 150, 50), launch(160, 5, 4), launch(205, 5, 5),
        span("draft_extend", 220, 30), span("step[DRAFT_EXTEND_V2 bs=1]", 222, 20), launch(230, 5, 6),
        span("step[DECODE bs=1]", 260, 50), launch(270, 5, 7),
        span("step[TARGET_VERIFY bs=1]", 350, 50), launch(360, 5, 8),
    ]  # fmt: skip
    kernels = [kernel("k", 1000 + 10 * i, 5, i) for i in range(1, 9)]
    from tracer.summarize import summarize

    summary = summarize(trace_of(*events, *kernels))
    assert [(stage.stage, stage.role, stage.calls, stage.ops) for stage in summary.stages] == [
        ("prefill", None, 1, 1),
        ("decode", "target", 3, 4),
        ("draft", "draft", 3, 3),
    ]


def test_ranges_called_draft_without_an_engines_steps_are_no_stages() -> None:
    assert _found(span("draft", 0, 9), span("draft_extend", 10, 9)).markers == "none"


def test_a_step_that_says_itself_that_a_draft_model_works_is_a_draft_and_no_other_is_taken_for_one() -> None:
    rounds = ["draft step[EXTEND bs=1 toks=4]", "draft step[DECODE bs=1]", "draft step[IDLE bs=0]"]
    names = ["step[EXTEND bs=1 toks=4]", *rounds, "step[DECODE bs=1]", "step[TARGET_VERIFY bs=1]"]
    assert _stages(*names) == ["prefill", "draft", "draft", "decode", "decode"]
    assert _stages(*[name.removeprefix("draft ") for name in names[4:]]) == ["draft", "decode"]
    named = _found(*[span(name, 100 * place, 50) for place, name in enumerate(names)])
    assert [one.checks for one in named.labels] == [False] * 4 + [True]


def test_where_releases_say_whose_a_step_is_no_step_that_decodes_is_taken_for_a_drafts() -> None:
    names = ["step[DECODE bs=1]", "step[VERIFY bs=1]", "step[DRAFT bs=1]", "step[DECODE bs=1]", "step[VERIFY bs=1]"]
    assert _stages(*names) == ["decode", "decode", "draft", "decode", "decode"]
    assert _stages("step[DECODE bs=1]", "step[TARGET_VERIFY bs=1]") == ["draft", "decode"]


@pytest.mark.parametrize(
    ("sums", "stage"),
    [("c=1 g=0", "prefill"), ("c=0 g=2", "decode"), ("c=1 g=1", "mixed"), ("ext=5 dec=1", "mixed")],
)
def test_a_mixed_step_of_one_kind_alone_is_a_step_of_that(sums: str, stage: str) -> None:
    assert _stages(f"step[MIXED bs=2 {sums}]") == [stage]


def test_numbers_that_may_be_requests_or_tokens_only_tell_the_stage() -> None:
    assert _label("execute_context_1024_generation_0") == Label("execute", None, Group(), NOBODY)
    assert _label("execute_context_1024_generation_4") != NO_LABEL
    names = [f"execute_context_{counts}" for counts in ("64_generation_0", "64_generation_4", "0_generation_4")]
    assert _stages(*names, "execute_context_0_generation_0") == ["prefill", "mixed", "decode"]


def test_of_atoms_and_tensorrts_steps_the_label_tells_the_stage() -> None:
    told = ["prefill[bs=1 tok=9 ctx=9]", "decode[bs=3 tok=5 p=1 d=2]", "draft[1/3 bs=2]", "eager_decode[bs=2 tok=2]"]
    assert _stages(*told, "decode[bs=2/4 tok=2 d=2]") == ["prefill", "mixed", "draft", "decode", "decode"]
    step = "[Executor] _forward_step 1: {} ctx reqs, {} gen reqs"
    assert _stages(*[step.format(*of) for of in ((1, 0), (1, 2), (0, 2), (0, 0))]) == ["prefill", "mixed", "decode"]
    for other in ("decode[3]", "prefill[bs=]", "decode[bs=<b>]", "[Executor] _forward_step"):
        assert _found(span(other, 0, 9)).markers == "none"


def test_a_trace_of_steps_without_a_stage_has_none() -> None:
    assert _found(span("step[IDLE bs=0]", 0, 50)).markers == "none"


def test_pictures_are_encoded_in_a_stage_of_their_own_inside_the_step() -> None:
    events = [
        span("step[EXTEND bs=1 toks=512]", 0, 100),
        span("sglang.vlm.mm_embedding", 10, 30),
        span("sglang.vlm.language_model_prefill", 45, 50),
    ]
    found = _found(*events)
    assert [ALL_STAGES[code] for code in found.stage.tolist()] == ["prefill", "vision"]
    assert found.labels[1] == NO_LABEL
    assert (found.end_ns / 1000).tolist() == [100, 40]


def test_the_rest_of_a_prompts_step_is_no_prefill_of_its_own() -> None:
    """The range lies in steps of every mode."""
    inside = [span("step[DECODE bs=1]", 0, 100), span("sglang.vlm.language_model_prefill", 10, 50)]
    assert [ALL_STAGES[code] for code in _found(*inside).stage.tolist()] == ["decode"]
    assert _found(span("sglang.vlm.language_model_prefill", 10, 50)).markers == "none"


@pytest.mark.parametrize(("at", "length"), [(0, 120), (15, 90)])
def test_a_label_around_a_step_or_in_it_tells_what_the_steps_own_does_not(at: float, length: float) -> None:
    around = span("execute_2_context_0(sq0sk0sqsq0sqsk0)_generation_2(sq2sk30sqsq2sqsk30)", at, length)
    found = _found(around, span("step[DECODE bs=2]", 10, 100), span("step[DECODE bs=3]", 200, 100))
    assert found.markers == "sglang"
    assert found.labels[0] == Label("DECODE", 2, NOBODY, Group(2, 2, 30, 2, 30))
    assert found.labels[1] == Label("DECODE", 3, NOBODY, Group(3, 3))


@pytest.mark.parametrize(
    ("outer", "inner", "label"),
    [
        ("step[DECODE bs=2]", "step[DECODE bs=2]", Label("DECODE", 2, NOBODY, Group(2, 2))),
        ("step[DECODE smc-head bs=2]", "step[TARGET_VERIFY bs=9]", Label("DECODE", 2, NOBODY, Group(2, 2))),
        (
            "execute_context_0(0)_generation_2(2)",
            "execute_2_context_0(sq0sk0sqsq0sqsk0)_generation_2(sq2sk30sqsq2sqsk30)",
            Label("", 2, NOBODY, Group(2, 2, 30, 2, 30)),
        ),
    ],
)
def test_a_step_inside_another_is_no_second_one_and_may_have_the_sums(outer: str, inner: str, label: Label) -> None:
    found = _found(span(outer, 0, 100), span(inner, 10, 90), span(outer, 200, 100), span(inner, 250, 90))
    assert (found.start_ns / 1000).tolist() == [0, 200, 250]  # the last reaches beyond the one before it
    assert found.labels[0] == label


def test_a_step_that_has_the_sums_itself_keeps_its_own() -> None:
    around = span("execute_9_context_0(sq0sk0sqsq0sqsk0)_generation_9(sq9sk99sqsq9sqsk99)", 0, 120)
    found = _found(around, span("step[DECODE bs=2 g_sq=2 g_sqsq=2 g_sqsk=30 g_sk=30]", 10, 100))
    assert found.labels == (Label("DECODE", 2, NOBODY, Group(2, 2, 30, 2, 30)),)


@pytest.mark.parametrize("scope", ["gpu_model_runner: draft", "v2_gpu_model_runner: draft"])
def test_vllms_drafting_behind_the_step_is_a_stage_and_its_other_phases_are_the_steps(scope: str) -> None:
    step = "execute_context_0(0)_generation_1(4)"
    events = [
        span(step, 0, 100), span("gpu_model_runner: forward", 10, 80), launch(20, 5, 1),
        span("gpu_model_runner: sample", 110, 20), launch(112, 5, 2),
        span(scope, 140, 20), launch(142, 5, 3),
        span("gpu_model_runner: bookkeep", 170, 10), launch(172, 5, 4),
        span(step, 200, 100), launch(210, 5, 5),
    ]  # fmt: skip
    kernels = [kernel("k", 1000 + 10 * i, 5, i) for i in range(1, 6)]
    from tracer.summarize import summarize

    summary = summarize(trace_of(*events, *kernels))
    assert [(stage.stage, stage.role, stage.calls, stage.ops) for stage in summary.stages] == [
        ("decode", "target", 2, 4),
        ("draft", "draft", 1, 1),
    ]
    assert summary.trace.steps == "passes"


def test_vllms_phases_without_a_step_are_no_stages() -> None:
    assert _found(span("gpu_model_runner: forward", 0, 9), span("gpu_model_runner: draft", 10, 9)).markers == "none"


def test_several_tokens_of_a_sequence_in_one_step_make_it_a_pass() -> None:
    assert not _found(span("execute_context_0(0)_generation_4(16)", 0, 9)).tokens
    assert _found(span("execute_context_0(0)_generation_4(4)", 0, 9)).tokens

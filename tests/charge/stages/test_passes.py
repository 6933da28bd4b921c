"""What in front of decode steps is a prompt's pass: told right, or not at all."""

from __future__ import annotations

import pytest
from support.loops import CHOICE, LAYER_OF_TOWER, Host
from support.truth import told_stages, true_stages

from tracer.charge.stages.find import find_stages
from tracer.charge.stages.likely import ENOUGH, likely_steps
from tracer.charge.stages.sequence import sequence_of
from tracer.charge.work import work_of
from tracer.document.names import ALL_STAGES

ROTATED = ("neg_kernel_cuda", "CatArrayBatchedCopy") * 2
KEPT = ("CatArrayBatchedCopy_vectorized",) * 2
JOINED = ("CatArrayBatchedCopy",) * 2
FEW, MANY = "indexSelectSmallIndex", "vectorized_gather_kernel"


def _layer(*, product: str = "gemm_8", kept: tuple[str, ...] = KEPT, add: str = "add_vectorized") -> tuple[str, ...]:
    return ("norm", product, *ROTATED, *kept, "flash_fwd", product, add, "norm", product, "silu", product, add)


def _pass(host: Host, looks_up: str, layer: tuple[str, ...], stage: str = "", choice: tuple[str, ...] = CHOICE) -> None:
    begun = host.now
    host.ask((looks_up, *layer * 6, "norm", "gemm_head", *choice))
    if stage:
        host.stage(stage, begun)


def _answer(host: Host, looks_up: str, prompt: tuple[str, ...], step: tuple[str, ...] = (), steps: int = 12) -> None:
    _pass(host, looks_up, prompt, "prefill")
    for _ in range(steps):
        _pass(host, FEW, step or _layer(), "decode")


def _told(host: Host) -> tuple[int, int]:
    """How many prompts and steps are told; what is told must be right."""
    trace = host.trace()
    found = find_stages(trace)
    work = work_of(trace, found)
    truth = true_stages(trace, work.call_start_ns, work.call_thread)
    told = told_stages(found, work.call_start_ns, work.call_thread)
    assert int(work.time_ns[(told >= 0) & (told == truth)].sum()) >= 0.99 * int(work.time_ns[told >= 0].sum())
    names = [ALL_STAGES[stage] for stage in found.stage]
    return names.count("prefill"), names.count("decode")


PROMPTS = {
    "of many tokens, which it looks up": (MANY, _layer(kept=JOINED)),
    "of few tokens, which it adds by another kernel": (FEW, _layer(kept=JOINED, add="add_strided")),
    "that makes keys and values of what an encoder saw": (FEW, (*_layer(kept=JOINED), "gemm_8")),
}


@pytest.mark.parametrize("name", PROMPTS)
def test_a_prompt_whose_layers_take_no_longer_and_attend_as_a_step_does(name: str) -> None:
    host = Host()
    host.ask(("im2col", *LAYER_OF_TOWER * 6, "project"))
    host.stage("vision", 0.0)
    _answer(host, *PROMPTS[name])
    assert _told(host) == (1, 12)


def test_a_prompt_that_asks_for_what_its_steps_do_is_not_told_apart() -> None:
    host = Host()
    _answer(host, FEW, _layer())
    assert _told(host) == (0, 0)


def test_short_texts_behind_a_long_one_keep_nothing_and_are_scored() -> None:
    host = Host()
    for number in range(16):
        _pass(host, FEW if number else MANY, _layer(kept=JOINED))
    assert not len(find_stages(host.trace()))


def test_a_pass_over_a_draft_is_no_prompt_of_what_follows_and_no_step() -> None:
    host = Host()
    for _ in range(2):
        _answer(host, MANY, _layer(kept=JOINED))
    # Several positions are multiplied as one is, and added otherwise.
    _pass(host, FEW, _layer(kept=JOINED, add="add_strided"))
    for _ in range(12):
        _pass(host, FEW, _layer(), "decode")
    trace = host.trace()
    sequence = sequence_of(trace)
    assert sequence is not None
    likely = likely_steps(sequence)
    assert likely is not None
    assert [len(steps.begins) - 1 for steps in likely.answers] == [12, 12, 12]
    assert [steps.prompt is not None for steps in likely.answers] == [True, True, False]
    assert _told(host) == (2, 36)


def test_a_step_of_a_larger_batch_is_no_prompt_of_those_that_go_on() -> None:
    host = Host()
    _answer(host, MANY, _layer(kept=JOINED), _layer(product="gemm_64"))
    for _ in range(12):
        _pass(host, FEW, _layer(), "decode")
    assert _told(host)[0] <= 1


def test_steps_in_which_a_draft_is_chosen_and_checked_are_not_told() -> None:
    host = Host()
    _pass(host, MANY, _layer(kept=JOINED))
    for _ in range(12):
        host.ask((FEW, *_layer() * 2, "gemm_head", "reduce_kernel<ArgMaxOps>"))
        _pass(host, FEW, _layer())
    assert not len(find_stages(host.trace()))


def test_layers_that_choose_experts_are_no_steps_though_their_attention_happens_to_grow() -> None:
    host = Host()
    for number in range(8):
        host.ask(("norm", *_layer(), "softmax", "gatherTopK", MANY, "gemm_e", "add"), attention_us=2 + 0.3 * number)
    likely = likely_steps(sequence_of(host.trace()) or pytest.fail("no sequence"))
    assert likely is None or likely.confidence < ENOUGH
    assert not len(find_stages(host.trace()))

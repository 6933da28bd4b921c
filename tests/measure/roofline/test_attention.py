from __future__ import annotations

from typing import Any

import pytest
from support.chrome import Event, kernel, launch, operator, span, trace_of

from tracer.document.summary import Attention, Serving
from tracer.summarize import Choices, summarize

SUMS = "execute_6_context_2(sq5sk10sqsq13sqsk23)_generation_1(sq1sk7sqsq1sqsk7)"
PEAKS = Choices(peak_tflops=1.0, peak_gbs=10.0)
FLASH = "void flash_fwd_kernel<64>(int)"


def _attends(ts: float, *, dims: Any = None, types: Any = None) -> Event:
    dims = dims or [[6, 4, 64], [6, 2, 64], [6, 2, 64], [6, 4, 64]]
    types = types or ["c10::BFloat16"] * 4
    args = {"Input Dims": dims, "Input type": types, "Concrete Inputs": [""] * 4}
    return operator("vllm::unified_attention_with_output", ts, 2, **args)


def _trace(*operators: Event, name: str = SUMS, length: float = 1.0) -> list[Event]:
    return [span(name, 0, 100), *operators, launch(50, 1, 1), kernel(FLASH, 60, length, 1)]


def _found(*events: Event, choices: Choices = PEAKS) -> Serving:
    found = summarize(trace_of(*events), choices).serving
    assert found is not None
    return found


def test_attentions_work_is_that_of_the_labels_sums_and_the_recorded_heads() -> None:
    (row,) = _found(*_trace(_attends(1), _attends(5))).attention
    pairs, cached, tokens = 19 + 7, 10 + 7, 6
    flops = 2 * 4 * 4 * 64 * pairs
    moved = 2 * 2 * 64 * 2 * (2 * cached + 4 * tokens)
    assert (row.stage, row.steps, row.layers, row.heads, row.kv_heads, row.head_size) == ("mixed", 1, 2, 4, 2, 64)
    assert (row.dtype, row.flops, row.bytes, row.time_ns) == ("bfloat16", flops, moved, 1000)
    assert row.intensity == pytest.approx(flops / moved)
    assert (row.tflops, row.gbs) == (pytest.approx(flops / 1000 / 1e3), pytest.approx(moved / 1000))


def test_more_bytes_than_the_bandwidth_moves_in_that_time_give_no_share_of_a_peak() -> None:
    (row,) = _found(*_trace(_attends(1), _attends(5))).attention
    assert row.gbs > 10
    assert (row.mfu, row.mbu, row.bound) == (None, None, None)
    assert "layers have a window" in row.error


def test_what_limits_attention_is_what_takes_longer_at_peak() -> None:
    (row,) = _found(*_trace(_attends(1), _attends(5), length=100)).attention
    assert (row.bound, row.error) == ("memory", "")
    assert row.mbu == pytest.approx(row.bytes / 100_000 / 10.0)


def test_without_a_peak_there_are_rates_and_no_shares() -> None:
    (row,) = _found(*_trace(_attends(1)), choices=Choices()).attention
    assert (row.mfu, row.mbu, row.bound, row.error) == (None, None, None, "")
    assert row.tflops > 0


def test_one_step_tells_the_heads_of_those_that_replay_a_graph() -> None:
    graph = "execute_1_context_0(sq0sk0sqsq0sqsk0)_generation_1(sq1sk9sqsq1sqsk9)"
    replay = [span(graph, 200, 100), launch(210, 1, 2), kernel(FLASH, 220, 10, 2)]
    rows = _found(*_trace(_attends(1), _attends(5)), *replay).attention
    assert [(row.stage, row.layers, row.flops) for row in rows] == [
        ("decode", 2, 2 * 4 * 4 * 64 * 9),
        ("mixed", 2, 2 * 4 * 4 * 64 * 26),
    ]


def _none(*events: Event) -> str:
    found = _found(*events)
    assert found.attention == list[Attention]()
    return found.no_attention


def test_without_a_recorded_operator_it_is_said_what_is_missing() -> None:
    assert "record_shapes" in _none(*_trace())


@pytest.mark.parametrize(
    "broken",
    [
        {"dims": [[6, 4, 64], [6, 3, 64]]},
        {"dims": [[6, 4, 64], [6, 2, 32]]},
        {"dims": [[6, 256], [6, 128]]},
        {"dims": [[-6, 4, 64], [-6, 2, 64]]},
        {"dims": [[6, 1 << 20, 64], [6, 1 << 20, 64]]},
        {"dims": "what"},
        {"types": ["c10::BFloat16", "int"]},
    ],
)
def test_shapes_that_do_not_fit_are_not_believed(broken: dict[str, Any]) -> None:
    assert "no operator says" in _none(*_trace(_attends(1, **broken)))


def test_layers_that_differ_are_not_taken_for_one_another() -> None:
    other = _attends(5, dims=[[6, 8, 64], [6, 2, 64]])
    assert "no operator says" in _none(*_trace(_attends(1), other))


@pytest.mark.parametrize(("whole", "layers"), [(8, None), (9, 2)])
def test_a_step_that_was_recorded_in_part_has_no_other_number_of_layers(whole: int, layers: int | None) -> None:
    steps = [
        event
        for k in range(1, whole + 1)
        for event in (
            span(SUMS, 200 * k, 100), _attends(200 * k + 1), _attends(200 * k + 5),
            launch(200 * k + 50, 1, k), kernel(FLASH, 200 * k + 60, 1, k),
        )
    ]  # fmt: skip
    found = _found(span(SUMS, 0, 100), _attends(5), *steps)
    assert {row.layers for row in found.attention} == ({layers} if layers else set())
    assert ("the profiler began within one" in found.no_attention) == (layers is None)


def test_labels_without_sums_say_nothing_of_attention() -> None:
    assert _none(*_trace(_attends(1), name="execute_context_2(5)_generation_1(1)")) == ""


def test_steps_without_attentions_kernels_say_nothing_of_attention() -> None:
    assert _none(span(SUMS, 0, 100), _attends(1), launch(50, 1, 1), kernel("gemm", 60, 1, 1)) == ""


def test_what_the_steady_part_leaves_out_may_tell_the_heads() -> None:
    prompt = _trace(_attends(1), _attends(5), name=SUMS.replace("generation_1(sq1sk7sqsq1sqsk7)", "generation_0(0)"))
    graph = "execute_1_context_0(sq0sk0sqsq0sqsk0)_generation_1(sq1sk9sqsq1sqsk9)"
    replays = [
        event
        for k in range(2, 12)
        for event in (span(graph, 200 * k, 100), launch(200 * k + 1, 1, k), kernel(FLASH, 200 * k + 9, 10, k))
    ]
    (row,) = _found(*prompt, *replays, choices=Choices(steady=True)).attention
    assert (row.stage, row.steps, row.layers, row.flops) == ("decode", 10, 2, 2 * 4 * 4 * 64 * 9)


def _paged(ts: float, dims: list[Any]) -> Event:
    args = {"Input Dims": [*dims, [], []], "Input type": ["c10::BFloat16"] * 3 + ["", ""]}
    return operator("sgl_kernel::fwd", ts, 2, **args)


CACHE = [[6, 4, 64], [99, 16, 2, 64], [99, 16, 2, 64]]
STEP = "step[MIXED bs=3 c=2 g=1 c_sq=5 c_sk=10 c_sqsq=13 c_sqsk=23 g_sq=1 g_sk=7 g_sqsq=1 g_sqsk=7]"


def test_an_operator_over_a_cache_in_pages_tells_the_heads_too_and_one_of_a_vision_tower_does_not() -> None:
    tower = _paged(20, [[400, 16, 80], [400, 16, 80], [400, 16, 80]])
    (row,) = _found(*_trace(_paged(1, CACHE), _paged(5, CACHE), tower, name=STEP)).attention
    assert (row.layers, row.heads, row.kv_heads, row.head_size) == (2, 4, 2, 64)
    assert "no operator says" in _none(*_trace(tower, name=STEP))
    latent = [[6, 16, 64], [99, 64, 1, 64], [99, 64, 1, 512]]  # keys of another size than values: no heads of the model
    for other in (latent, [5, [1], [1]], [[], [1, 1, 1, 1], [1, 1, 1, 1]], [{}, CACHE[1], CACHE[1]], CACHE[:2]):
        assert "no operator says" in _none(*_trace(_paged(1, other), name=STEP))


def test_a_draft_models_attention_is_no_layer_of_the_targets_and_has_no_row() -> None:
    draft = "step[DRAFT_EXTEND_V2 bs=2 c_sq=5 c_sqsq=13 c_sqsk=93 c_sk=35]"
    drafts = [
        event
        for k in range(1, 20)
        for event in (
            span(draft, 200 * k, 100), _paged(200 * k + 1, [[5, 8, 64], CACHE[1], CACHE[2]]),
            launch(200 * k + 5, 1, 10 + k), kernel(FLASH, 200 * k + 9, 1, 10 + k),
        )
    ]  # fmt: skip
    target = _trace(_paged(1, CACHE), _paged(5, CACHE), name=STEP)
    assert [(row.stage, row.layers, row.heads) for row in _found(*target, *drafts).attention] == [("mixed", 2, 4)]

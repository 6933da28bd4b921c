from __future__ import annotations

import pytest
from support.chrome import kernel, launch, span, trace_of

from tracer.charge.stages.find import find_stages
from tracer.compare.steps import compare_steps
from tracer.document import names as grammar
from tracer.document.names import ALL_STAGES
from tracer.document.summary import Summary
from tracer.summarize import Choices, summarize


def _rows(*names: str, patterns: dict[str, str] | None = None) -> tuple[str, list[tuple[str, int]]]:
    trace = trace_of(*[span(name, 10 * i, 5) for i, name in enumerate(names)], kernel("k", 0, 1))
    stages = find_stages(trace, patterns)
    rows = [(ALL_STAGES[s], i) for s, i in zip(stages.stage.tolist(), stages.index.tolist(), strict=True)]
    return stages.markers, rows


def test_reads_our_own_grammar() -> None:
    assert _rows("tracer/vision", "tracer/decode#17", "tracer/nonsense", "tracer/decode#x") == (
        "tracer",
        [("vision", -1), ("decode", 17)],
    )


def test_reads_vllm() -> None:
    names = (
        "execute_context_1(888_788544)_generation_0(0)",
        "execute_context_0(0)_generation_7(7)",
        "execute_8192_context_9(sq8155sk8430)_generation_37(sq37sk34489)",
    )
    assert _rows(*names) == ("vllm", [("prefill", -1), ("decode", 1), ("mixed", -1)])


def test_reads_sglang() -> None:
    names = ("step[EXTEND bs=1 toks=512]", "step[DECODE bs=32]", "step[DECODE bs=32]", "step[IDLE]")
    assert _rows(*names) == ("sglang", [("prefill", -1), ("decode", 1), ("decode", 2)])


def test_reads_the_users_patterns_and_then_nothing_else() -> None:
    patterns = {"vision": "^encode", "decode": r"^token (\d+)$"}
    found = _rows("encode_image", "token 4", "tracer/prefill", patterns=patterns)
    assert found == ("pattern", [("vision", -1), ("decode", 4)])


def test_a_long_name_that_begins_like_one_of_vllms_is_read_once() -> None:
    assert _rows("execute_context_1(" + ")_generation_1(" * 200_000 + "!") == ("none", [])


def test_numbers_beyond_64_bits_number_nothing() -> None:
    many = "9" * 5000
    assert _rows(f"token {many}", patterns={"decode": r"^token (\d+)$"}) == ("pattern", [("decode", 1)])
    assert _rows(f"execute_context_{many}(8)_generation_0(0)") == ("vllm", [("prefill", -1)])
    assert _rows(f"tracer/decode#{many}", "tracer/vision") == ("tracer", [("vision", -1)])


def test_a_trace_without_stages_says_so() -> None:
    assert _rows("forward", "step") == ("none", [])


def test_requests_are_those_that_enclose() -> None:
    trace = trace_of(
        span("tracer/request#4", 0, 20),
        span("tracer/vision", 1, 5),
        span("tracer/decode#1", 10, 5),
        span("tracer/decode#1", 30, 5),
    )
    assert find_stages(trace).request.tolist() == [4, 4, -1]


@pytest.mark.parametrize(("kind", "index"), [("vision", None), ("decode", 17), ("request", 0), ("encoder", 3)])
def test_every_name_that_is_written_is_read_back(kind: str, index: int | None) -> None:
    assert grammar.parse_range(grammar.range_name(kind, index)) == (kind, index)


@pytest.mark.parametrize("name", ["vision", "tracer/", "tracer/decode#", "tracer/decode#-1", "tracer/decode#²"])
def test_names_of_others_are_not_ours(name: str) -> None:
    assert grammar.parse_range(name) is None


def test_model_and_grammar_spell_the_stages_alike() -> None:
    from model import staged

    assert staged.STAGES == grammar.STAGES


def _steps(slow: int) -> Summary:
    """Twelve steps that a person marked, without a number; one is ten times as long."""
    events, t = [], 0.0
    for k in range(12):
        length = 500 if k == slow else 50
        events += [span("dec", t, length + 8), launch(t + 1, 2, k + 1), kernel("gemm", t + 4, length, k + 1)]
        t += length + 10
    return summarize(trace_of(*events), Choices(patterns={"decode": "^dec$"}))


@pytest.mark.parametrize(("slow", "found"), [(0, True), (1, False)])
def test_the_first_step_that_nobody_numbered_is_the_first(slow: int, found: bool) -> None:
    summary = _steps(slow)
    assert [token.index for token in summary.tokens] == list(range(1, 13))
    assert ("slow-first-token" in [finding.id for finding in summary.findings]) == found


def test_no_step_that_nobody_numbered_is_dropped_from_a_comparison() -> None:
    (steps,) = compare_steps(_steps(0), _steps(5), 0.01)
    assert (steps.first, len(steps.before_ns)) == (1, 12)

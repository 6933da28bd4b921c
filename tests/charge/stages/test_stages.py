from __future__ import annotations

import pytest
from support.chrome import kernel, span, trace_of

from tracer.charge.stages.find import find_stages
from tracer.document import names as grammar
from tracer.document.names import ALL_STAGES


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
    assert _rows(*names) == ("vllm", [("prefill", -1), ("decode", 0), ("mixed", -1)])


def test_reads_sglang() -> None:
    names = ("step[EXTEND bs=1 toks=512]", "step[DECODE bs=32]", "step[DECODE bs=32]", "step[IDLE]")
    assert _rows(*names) == ("sglang", [("prefill", -1), ("decode", 0), ("decode", 1)])


def test_reads_the_users_patterns_and_then_nothing_else() -> None:
    patterns = {"vision": "^encode", "decode": r"^token (\d+)$"}
    found = _rows("encode_image", "token 4", "tracer/prefill", patterns=patterns)
    assert found == ("pattern", [("vision", -1), ("decode", 4)])


def test_a_long_name_that_begins_like_one_of_vllms_is_read_once() -> None:
    assert _rows("execute_context_1(" + ")_generation_1(" * 200_000 + "!") == ("none", [])


def test_numbers_beyond_64_bits_number_nothing() -> None:
    many = "9" * 5000
    assert _rows(f"token {many}", patterns={"decode": r"^token (\d+)$"}) == ("pattern", [("decode", 0)])
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

"""What holds of every prediction, whatever was measured."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chrome import kernel, operator, trace_of
from support.predict import draft_of

from tracer.document.errors import InputError
from tracer.document.summary import PassWork, Prediction, Roofline, RunTime, StageRoofline, Summary, VisualToken
from tracer.predict.whatif import Changes, Speculate, predict
from tracer.summarize import summarize

STAGES = ("vision", "prefill", "decode")
ON_GPU = summarize(trace_of(kernel("k", 0, 1)))
ON_CPU = summarize(trace_of(operator("aten::mm", 0, 1)))
NS = st.floats(0, 1e9)
# Each takes a cost away, or leaves it.
CHEAPER: dict[str, st.SearchStrategy[Any]] = {
    "stages": st.dictionaries(st.sampled_from(STAGES), st.floats(0, 1), min_size=1),
    "launch_overhead": st.floats(0, 1),
    "batch_frames": st.integers(1, 100),
    "decode": st.sampled_from(["graph", "compile"]),
    "visual_tokens": st.floats(0, 1),
    "bandwidth": st.floats(1, 100),
}
# Each adds to a cost, or leaves it.
DEARER: dict[str, st.SearchStrategy[Any]] = {
    "stages": st.dictionaries(st.sampled_from(STAGES), st.floats(1, 100), min_size=1),
    "launch_overhead": st.floats(1, 100),
    "bandwidth": st.floats(0.01, 1),
}


def _row(stage: str) -> StageRoofline:
    return StageRoofline(
        stage=stage, runs=1, flops=1, bytes=1, weight_bytes=1, intensity=1.0, busy_ns=1, step_ns=1, step_source="clean",
        tflops=1, gbs=1, mfu=None, mbu=None, bound="memory", floor_ns=1, distance_ns=1, limited_by=None,
    )  # fmt: skip


@st.composite
def summaries(draw: st.DrawFn) -> Summary:
    """Any stages: device or operators, busy for less or, under a profiler, for more than a run takes without it."""
    budget = []
    for stage in STAGES:
        busy_ns = draw(NS)
        budget.append(
            RunTime(
                stage=stage, runs=draw(st.integers(1, 1000)), busy_ns=busy_ns, step_ns=draw(NS), clean=True,
                fused_ns=busy_ns * draw(st.floats(0, 1)),
            )
        )  # fmt: skip
    token = VisualToken(
        count=draw(st.integers(1, 5000)), prefill_flops=1, prefill_share=draw(st.floats(0, 1)), prefill_ns=1.0,
        kv_bytes=1, decode_ns=draw(st.none() | st.floats(0, 1e6)),
    )  # fmt: skip
    roof = Roofline(
        device="d", dtype="bfloat16", peak_tflops=1, peak_gbs=1, peak_source="s", visual_token=token,
        step=PassWork(
            weight_bytes=draw(NS), kv_bytes=draw(NS), token_kv_bytes=draw(NS), token_flops=draw(NS), pair_flops=draw(NS)
        ),
        stages=[_row(stage) for stage in draw(st.sets(st.sampled_from(STAGES), min_size=1))],
    )  # fmt: skip
    run = draw(st.none() | st.fixed_dictionaries({
        "decode": st.sampled_from(["eager", "static", "graph", "compile"]), "batch_frames": st.booleans(),
        "frames": st.integers(0, 64),
    }))  # fmt: skip
    return msgspec.structs.replace(draw(st.sampled_from([ON_GPU, ON_CPU])), budget=budget, roofline=roof, run=run)


def _predicted(summary: Summary, asked: dict[str, Any]) -> Prediction | None:
    try:
        return predict(summary, Changes(**{"stages": {}} | asked))
    except InputError:  # what a change needs is not there, which is said; nothing is predicted
        return None


def _some(of: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=of).filter(bool)


def test_every_change_is_among_those_that_the_laws_hold_of() -> None:
    assert {*CHEAPER, "speculate"} == {field.name for field in fields(Changes)}


@pytest.mark.parametrize("change", CHEAPER)
@given(data=st.data())
def test_removing_a_cost_never_slows_and_no_time_falls_below_zero(change: str, data: st.DataObject) -> None:
    found = _predicted(data.draw(summaries()), {change: data.draw(CHEAPER[change])})
    for stage in found.stages if found else []:
        assert 0 <= stage.then_ns <= stage.now_ns


@given(summary=summaries(), asked=_some(CHEAPER))
def test_removing_several_costs_never_slows_either(summary: Summary, asked: dict[str, Any]) -> None:
    found = _predicted(summary, asked)
    for stage in found.stages if found else []:
        assert 0 <= stage.then_ns <= stage.now_ns


@given(summary=summaries(), asked=_some(DEARER))
def test_adding_to_a_cost_never_gains(summary: Summary, asked: dict[str, Any]) -> None:
    found = _predicted(summary, asked)
    for stage in found.stages if found else []:
        assert stage.then_ns >= stage.now_ns


@given(summary=summaries(), factor=st.floats(0, 1))
def test_launches_give_back_no_more_than_the_time_in_which_the_device_waits(summary: Summary, factor: float) -> None:
    found = predict(summary, Changes(stages={}, launch_overhead=factor))
    for was, stage in zip(summary.budget, found.stages, strict=True):
        waiting_ns = was.runs * max(0.0, was.step_ns - was.busy_ns)
        assert stage.now_ns - stage.then_ns <= waiting_ns * (1 - factor) + 1


@given(summary=summaries(), drafted=st.integers(1, 100), accepted=st.floats(0, 1), more=st.floats(0, 1))
def test_more_acceptance_never_slows_and_none_never_gains(
    summary: Summary, drafted: int, accepted: float, more: float
) -> None:
    def decode_ns(share: float) -> int | None:
        found = _predicted(summary, {"speculate": Speculate(drafted=drafted, acceptance=(share,), draft=draft)})
        return None if found is None else next(one.then_ns for one in found.stages if one.stage == "decode")

    draft = draft_of(summary.budget[-1].step_ns / 7)
    some, full, none = decode_ns(accepted), decode_ns(max(accepted, more)), decode_ns(0.0)
    if some is not None and full is not None and none is not None:
        assert full <= some <= none
        assert none >= round(summary.budget[-1].total_ns or 0) - 1

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.chrome import call, kernel, launch, operator, span, trace_of
from support.manifests import as_metadata, latencies
from support.predict import NOW, recorded_run, then

from tracer.document.errors import InputError
from tracer.document.summary import Summary
from tracer.predict.whatif import Changes, predict
from tracer.summarize import summarize

ADD = "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float> >(int)"
MEAN = "void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, at::native::MeanOps<float> > >(int)"
CAT = "void at::native::(anonymous namespace)::CatArrayBatchedCopy<float, unsigned int, 3, 64, 64>(float*)"
# One decode step; its kernels run without gaps.
STEP = ((ADD, 3), (MEAN, 4), ("gemm", 20), (CAT, 5), (ADD, 2), ("flash_fwd_kernel", 6))


def _decoded(late: float, kernels: tuple[tuple[str, float], ...] = STEP, steps: int = 2, **metadata: Any) -> Summary:
    """Steps whose kernels begin `late` microseconds after one another."""
    events, at, number = [], 0.0, 0
    for step in range(steps):
        begin = at
        for name, length in kernels:
            number += 1
            events += [launch(at, 0.5, number), kernel(name, at + 1, length, number)]
            at += max(1, length + late)
        events.append(span(f"tracer/decode#{step + 1}", begin, at - begin))
    return summarize(trace_of(*events, **metadata))


def test_a_graph_leaves_decode_its_busy_time() -> None:
    assert then(decode="graph") == NOW | {"decode": 9_000}


def test_a_static_cache_concatenates_nothing_which_gains_only_where_the_device_is_busy() -> None:
    assert then(_decoded(0), decode="static") == {"decode": 2 * 35_000}
    waiting = predict(_decoded(90), Changes(stages={}, decode="static"))
    assert waiting.then_ns == waiting.now_ns > 0
    assert "5.00 µs, is not copied; at most" in waiting.assumptions[0]
    assert waiting.assumptions[0].endswith(
        "a step waits for the host, which launches as ever, so it takes as long as now"
    )


def test_a_static_cache_saves_nothing_where_nothing_grows() -> None:
    with pytest.raises(InputError, match="no kernel of torch.cat"):
        predict(_decoded(0, STEP[:3]), Changes(stages={}, decode="static"))
    metadata = as_metadata([latencies()], model={"name": "eventgpt", "decode": "graph"})
    with pytest.raises(InputError, match="recorded with --decode graph, its cache is a static one already"):
        predict(_decoded(0, tracer=metadata), Changes(stages={}, decode="static"))


def test_compiled_steps_have_no_gaps_and_a_kernel_for_each_row_of_small_ones() -> None:
    # The longest of add and mean, the product, what is left of the second row, and attention.
    assert then(_decoded(90), decode="compile") == {"decode": 2 * (4 + 20 + 2 + 6) * 1_000}
    assert (
        "(32.00 µs of 40.00 µs are left)" in predict(_decoded(9), Changes(stages={}, decode="compile")).assumptions[0]
    )


@pytest.mark.parametrize(("recorded", "asked"), [("graph", "graph"), ("compile", "graph"), ("compile", "compile")])
def test_what_a_recording_has_already_is_not_gained_again(recorded: str, asked: str) -> None:
    with pytest.raises(InputError, match=f"--decode {asked}: recorded with --decode {recorded}, "):
        predict(recorded_run(_decoded(9), decode=recorded), Changes(stages={}, decode=asked))


def test_compiling_what_a_graph_replays_already_fuses_kernels_but_closes_no_gap_twice() -> None:
    summary = _decoded(0, STEP[:3] + STEP[4:])  # busy for 35 us a step, which fused are 32
    slow = [msgspec.structs.replace(stage, step_ns=45_000.0) for stage in summary.budget]
    summary = msgspec.structs.replace(summary, budget=slow)
    assert then(recorded_run(summary), decode="compile") == {"decode": 2 * 32_000}
    replayed = predict(recorded_run(summary, decode="graph"), Changes(stages={}, decode="compile"))
    assert replayed.then_ns == 2 * 42_000
    assert "replayed graphs already, so their gaps stay" in replayed.assumptions[0]


def _replaying(replays: int, steps: int = 2) -> Summary:
    """Steps of somebody else's, of as many graph replays each, with gaps."""
    events, number = [], 0
    for step in range(steps):
        at = 1000 * step
        events.append(span(f"tracer/decode#{step + 1}", at, 900))
        for replay in range(4):
            number, begin = number + 1, at + 200 * replay
            events += [call("cudaGraphLaunch", begin, 5, number) if replay < replays else launch(begin, 5, number)]
            events.append(kernel("gemm", begin + 10, 100, number))
    return summarize(trace_of(*events))


def test_steps_that_replay_graphs_in_anybodys_trace_gain_nothing_by_one() -> None:
    for replays in (1, 4):
        with pytest.raises(
            InputError, match=f"--decode graph: its decode steps replay graphs already, {replays} a step"
        ):
            predict(_replaying(replays), Changes(stages={}, decode="graph"))
    assert predict(_replaying(0), Changes(stages={}, decode="graph")).then_ns == 2 * 400_000
    compiled = predict(_replaying(4), Changes(stages={}, decode="compile"))
    assert compiled.then_ns == compiled.now_ns


@pytest.mark.parametrize("mode", ["graph", "compile"])
def test_without_a_device_no_kernels_are_replayed_or_fused(mode: str) -> None:
    on_cpu = summarize(trace_of(operator("aten::cat", 0, 5), span("tracer/decode#1", 0, 9)))
    with pytest.raises(InputError, match=f"--decode {mode}: predicted from kernels, and it has no device work"):
        predict(on_cpu, Changes(stages={}, decode=mode))


def test_steps_that_gave_the_device_nothing_cannot_fuse() -> None:
    idle = summarize(trace_of(span("tracer/decode#1", 0, 9), launch(20, 1, 1), kernel("gemm", 22, 5, 1)))
    with pytest.raises(InputError, match="--decode compile: the device did nothing in its decode steps"):
        predict(idle, Changes(stages={}, decode="compile"))

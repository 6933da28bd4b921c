from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.chrome import kernel, launch, operator, span, trace_of
from support.manifests import as_metadata, latencies

from tracer.document.errors import InputError, UsageError
from tracer.document.summary import Roofline, RunTime, StageRoofline, Summary, VisualToken
from tracer.predict.whatif import Changes, predict
from tracer.summarize import summarize


def _row(stage: str, bound: str) -> StageRoofline:
    return StageRoofline(
        stage=stage, runs=1, flops=1, bytes=1, weight_bytes=1, intensity=1.0, busy_ns=1, step_ns=1, step_source="clean",
        tflops=1, gbs=1, mfu=None, mbu=None, bound=bound, floor_ns=1, distance_ns=1, limited_by=None,
    )  # fmt: skip


def _budget(stage: str, runs: int, busy_ns: float, step_ns: float) -> RunTime:
    return RunTime(stage=stage, runs=runs, busy_ns=busy_ns, step_ns=step_ns, clean=True)


TOKEN = VisualToken(count=100, prefill_flops=1, prefill_share=0.8, prefill_ns=1.0, kv_bytes=1, decode_ns=2.0)


def _summary(*budget: RunTime, token: VisualToken | None = TOKEN) -> Summary:
    """Vision waits, prefill is busy, decode is busy and bound by memory."""
    roof = Roofline(
        device="d", dtype="bfloat16", peak_tflops=1, peak_gbs=1, peak_source="s",
        stages=[_row("prefill", "compute"), _row("decode", "memory")], visual_token=token,
    )  # fmt: skip
    stages = budget or (
        _budget("vision", 1, 1_000, 5_000), _budget("prefill", 1, 8_000, 9_000), _budget("decode", 10, 900, 1_000),
    )  # fmt: skip
    return msgspec.structs.replace(summarize(trace_of(kernel("k", 0, 1))), budget=list(stages), roofline=roof)


def _then(summary: Summary | None = None, stages: dict[str, float] | None = None, **changes: object) -> dict[str, int]:
    found = predict(summary or _summary(), Changes(stages=stages or {}, **changes))  # type: ignore[arg-type]
    assert found.then_ns == sum(stage.then_ns for stage in found.stages)
    assert len(found.assumptions) == len(changes) + len(stages or {})
    return {stage.stage: stage.then_ns for stage in found.stages}


NOW = {"vision": 5_000, "prefill": 9_000, "decode": 10_000}


def test_a_stages_factor() -> None:
    assert _then(stages={"vision": 0, "decode": 0.5}) == NOW | {"vision": 0, "decode": 5_000}


def test_launch_overhead_is_the_time_beyond_busy() -> None:
    assert _then(launch_overhead=0.0) == {"vision": 1_000, "prefill": 8_000, "decode": 9_000}
    assert _then(launch_overhead=0.5) == {"vision": 3_000, "prefill": 8_500, "decode": 9_500}
    assert _then(launch_overhead=1.0) == NOW


def test_a_graph_leaves_decode_its_busy_time() -> None:
    assert _then(decode="graph") == NOW | {"decode": 9_000}


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


def test_a_static_cache_concatenates_nothing_which_gains_only_where_the_device_is_busy() -> None:
    assert _then(_decoded(0), decode="static") == {"decode": 2 * 35_000}
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
    assert _then(_decoded(90), decode="compile") == {"decode": 2 * (4 + 20 + 2 + 6) * 1_000}
    assert (
        "(32.00 µs of 40.00 µs are left)" in predict(_decoded(9), Changes(stages={}, decode="compile")).assumptions[0]
    )


def test_what_the_profiler_made_longer_than_a_run_takes_shrinks_in_proportion() -> None:
    assert _then(_summary(_budget("decode", 1, 4_000, 1_000)), bandwidth=4.0) == {"decode": 250}


@pytest.mark.parametrize("mode", ["graph", "compile"])
def test_without_a_device_no_kernels_are_replayed_or_fused(mode: str) -> None:
    on_cpu = summarize(trace_of(operator("aten::cat", 0, 5), span("tracer/decode#1", 0, 9)))
    with pytest.raises(InputError, match=f"--decode {mode}: predicted from kernels, and it has no device work"):
        predict(on_cpu, Changes(stages={}, decode=mode))


def test_steps_that_gave_the_device_nothing_cannot_fuse() -> None:
    idle = summarize(trace_of(span("tracer/decode#1", 0, 9), launch(20, 1, 1), kernel("gemm", 22, 5, 1)))
    with pytest.raises(InputError, match="--decode compile: the device did nothing in its decode steps"):
        predict(idle, Changes(stages={}, decode="compile"))


def test_frames_in_one_call_divide_the_hosts_time_down_to_the_busy_time() -> None:
    assert _then(batch_frames=2)["vision"] == 2_500
    assert _then(batch_frames=10)["vision"] == 1_000


def test_fewer_visual_tokens_shrink_prefill_and_the_cache() -> None:
    assert _then(visual_tokens=0.5) == NOW | {"prefill": 9_000 - 3_200, "decode": 10 * (1_000 - 100)}
    waiting = _summary(_budget("prefill", 1, 1_000, 9_000))
    assert _then(waiting, visual_tokens=0.5) == {"prefill": 9_000}


def test_bandwidth_speeds_up_what_memory_bounds_unless_the_host_does() -> None:
    assert _then(bandwidth=2.0) == NOW | {"decode": 10 * 550}
    waiting = _summary(_budget("decode", 10, 100, 1_000))
    assert _then(waiting, bandwidth=2.0) == {"decode": 10_000}
    assert _then(bandwidth=0.5)["decode"] == 10 * 1_900


@pytest.mark.parametrize(("speculation", "tokens"), [((4, 0.7), 2.7731), ((3, 1.0), 4), ((3, 0.0), 1)])
def test_speculation_makes_several_tokens_a_step(speculation: tuple[int, float], tokens: float) -> None:
    assert _then(speculate=speculation)["decode"] == pytest.approx(10_000 / tokens, rel=1e-4)


def test_changes_add_up() -> None:
    both = _then(launch_overhead=0.0, speculate=(3, 1.0))
    assert both == {"vision": 1_000, "prefill": 8_000, "decode": 2_250}


def test_what_is_not_known_is_not_predicted() -> None:
    with pytest.raises(InputError, match="no stages"):
        predict(summarize(trace_of(kernel("k", 0, 1))), Changes(stages={}, launch_overhead=0))
    with pytest.raises(InputError, match="does not say what a visual token costs"):
        predict(_summary(token=None), Changes(stages={}, visual_tokens=0.5))
    unknown = msgspec.structs.replace(_summary(), roofline=None)
    with pytest.raises(InputError, match="bound by memory"):
        predict(unknown, Changes(stages={}, bandwidth=2))
    with pytest.raises(UsageError, match="has no stage vision; it has prefill"):
        predict(_summary(_budget("prefill", 1, 1, 1)), Changes(stages={}, batch_frames=5))

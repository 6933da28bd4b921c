from __future__ import annotations

import msgspec
from support.chrome import kernel, launch, operator, span, trace_of
from support.predict import NOW, budget, then

from tracer.predict.whatif import Changes, predict
from tracer.summarize import summarize


def test_launch_overhead_is_the_time_beyond_busy() -> None:
    assert then(launch_overhead=0.0) == {"vision": 1_000, "prefill": 8_000, "decode": 9_000}
    assert then(launch_overhead=0.5) == {"vision": 3_000, "prefill": 8_500, "decode": 9_500}
    assert then(launch_overhead=1.0) == NOW


def test_on_a_cpu_the_time_between_operators_is_overhead_and_profiled_operators_slow_nothing() -> None:
    on_cpu = summarize(trace_of(operator("aten::mm", 0, 5), span("tracer/decode#1", 0, 9)))
    slowed = msgspec.structs.replace(on_cpu, budget=[budget("decode", 10, 1_620, 1_000), budget("vision", 1, 4, 10)])
    found = predict(slowed, Changes(stages={}, launch_overhead=0))
    assert [stage.then_ns for stage in found.stages] == [10_000, 4]
    assert "all the time in which no operator runs" in found.assumptions[0]


def test_only_stages_that_there_are_are_said_to_wait() -> None:
    alone = summarize(trace_of(span("tracer/decode#1", 0, 90), launch(1, 1, 1), kernel("gemm", 50, 8, 1)))
    (assumed,) = predict(alone, Changes(stages={}, launch_overhead=0)).assumptions
    assert "all the time in which the device waits in decode is launch overhead" in assumed

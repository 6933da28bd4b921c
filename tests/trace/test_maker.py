"""Whose device a trace is of, and that advice is in its words."""

from __future__ import annotations

import pytest
from support.chrome import Event, call, kernel, operator, span, trace_of

from reports.parts.explained import blocks
from tracer.document.explained import Explained
from tracer.document.makers import in_words_of
from tracer.findings.launch_bound import FINDING
from tracer.summarize import summarize
from tracer.trace.maker import maker_of

GRAPHS = "launch less: CUDA graphs or torch.compile(mode='reduce-overhead') over a static cache, or batching"


def _bound(name: str) -> list[Event]:
    """Steps of which nine tenths are spent until the next launch."""
    events = []
    for number in range(4):
        at = 1000 * number
        asked = [call(name, at + 10 + 200 * each, 5, 10 * number + each) for each in range(4)]
        ran = [kernel("mm", at + 20 + 200 * each, 20, 10 * number + each) for each in range(4)]
        events += [span(f"tracer/decode#{number}", at, 990), *asked, *ran]
    return events


@pytest.mark.parametrize(
    ("name", "maker", "graphs", "activity"),
    [
        ("cudaLaunchKernel", "NVIDIA", True, "(ProfilerActivity.CUDA, or XPU)"),
        ("hipLaunchKernel", "AMD", True, "(ProfilerActivity.CUDA, ROCm's too)"),
        ("urEnqueueKernelLaunch", "Intel", False, "(ProfilerActivity.XPU)"),
        ("runFunction - job_prep_and_submit_for_execution", "Meta", False, "(ProfilerActivity.MTIA)"),
        ("musaLaunchKernel", "other", False, "(ProfilerActivity.PrivateUse1, or as its maker calls it)"),
        ("cnInvokeKernel", "other", False, "(ProfilerActivity.PrivateUse1, or as its maker calls it)"),
    ],
)
def test_advice_is_in_the_words_of_the_device(name: str, maker: str, graphs: bool, activity: str) -> None:
    trace = trace_of(*_bound(name))
    assert maker_of(trace) == maker
    (finding,) = [one for one in summarize(trace).findings if one.id == "launch-bound"]
    assert ("CUDA" in finding.next_step) is graphs
    told = Explained(id="x", rule="r", reason="r", next_step=FINDING.next_step, trace="t", found=finding)
    assert any("do there" in repr(one) for one in blocks(told)) is not graphs
    alone = summarize(trace_of(*[event for event in _bound(name) if event["cat"] != "kernel"]))
    assert alone.lost
    assert activity in alone.lost.next_step


@pytest.mark.parametrize(
    ("name", "maker"),
    [
        ("NVIDIA A100-SXM4-40GB", "NVIDIA"), ("Tesla V100", "NVIDIA"), ("H100", "NVIDIA"), ("gfx942", "AMD"),
        ("AMD Instinct MI300X", "AMD"), ("Intel(R) Arc(TM) Pro B60", "Intel"), ("MLU590", "other"), ("S60", "other"),
    ],
)  # fmt: skip
def test_without_calls_the_name_of_a_device_tells(name: str, maker: str) -> None:
    properties = [{"id": 0, "name": name}]
    assert maker_of(trace_of(kernel("mm", 1, 2), deviceProperties=properties)) == maker


def test_where_nothing_tells_advice_stays_as_it_is() -> None:
    assert maker_of(trace_of(operator("aten::mm", 1, 2))) == ""
    assert in_words_of("", GRAPHS) == in_words_of("NVIDIA", GRAPHS) == in_words_of("AMD", GRAPHS) == GRAPHS
    assert "CUDA" not in in_words_of("Intel", GRAPHS)

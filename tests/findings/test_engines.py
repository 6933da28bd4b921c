"""Of a serving engine's steps the advice is about its settings: a person has no program of it to change."""

from __future__ import annotations

import pytest
from support.chrome import Event, call, kernel, launch
from support.findings import GEMM, found, stage, steps, waiting_steps

from tracer.findings.engines import AHEAD, CHOSEN, COMPILE, KEEP, LATER, REPLAY
from tracer.findings.launch_bound import REPLAYED, REPLAYED_BY_ENGINE
from tracer.findings.registry import findings

DECODES = "execute_context_0(0)_generation_4(4)"


def _served(events: list[Event]) -> list[Event]:
    """The same, with an engine's names for the steps."""
    named = {"tracer/prefill": "execute_context_1(9)_generation_0(0)", "tracer/draft#1": "gpu_model_runner: draft"}
    return [
        {
            **event,
            "name": DECODES if event["name"].startswith("tracer/decode") else named.get(event["name"], event["name"]),
        }
        for event in events
        if not event["name"].startswith("tracer/request")
    ]


def _drafts() -> list[Event]:
    check = stage("tracer/decode#1", 200, 10, [GEMM], first=50)
    return [*stage("tracer/draft#1", 0, 40, [GEMM] * 5), *check]


LATE = stage("tracer/prefill", 0, 40, [GEMM] * 10)
SMALL = stage("tracer/prefill", 0, 5, ["void at::native::vectorized_elementwise_kernel<4, add>"] * 12)


@pytest.mark.parametrize(
    ("name", "events", "does"),
    [
        ("launch-bound", LATE, REPLAY),
        ("unfused-elementwise", SMALL, COMPILE),
        ("sync-per-token", waiting_steps(gap=30), AHEAD),
        ("draft-waits-for-host", _drafts(), REPLAY),
        ("slow-first-token", steps(extra=lambda k: 200 * (k == 1)), LATER),
        ("copies-dominate", stage("tracer/prefill", 0, 5, ["Memcpy HtoD (Pinned -> Device)"] * 3), KEEP),
    ],
)
def test_an_engine_is_told_by_its_settings_and_a_program_by_what_to_write(
    name: str, events: list[Event], does: str
) -> None:
    own, served = found(name, *events), found(name, *_served(events))
    assert own is not None
    assert served is not None
    assert own.next_step.startswith(findings()[name].FINDING.next_step)
    assert served.next_step.startswith(does)
    assert "torch." not in served.next_step


def test_what_each_step_of_an_engine_copies_is_no_warning() -> None:
    def copy(k: int, at: float) -> list[Event]:
        name, number = "Memcpy HtoD (Pinned -> Device)", 1000 + k
        copied = kernel(name, at + 96, 1, number, cat="gpu_memcpy", args={"bytes": 64})
        return [call("cudaMemcpyAsync", at + 3, 1, number), copied]

    own, served = (found("host-to-device-copies-in-decode", *of(steps(more=copy))) for of in (list, _served))
    assert own is not None
    assert served is not None
    assert (own.severity, served.severity) == ("warning", "info")
    assert served.next_step == CHOSEN


def test_of_steps_with_prompts_it_is_said_that_graphs_are_of_so_many_tokens() -> None:
    decode = [{**one, "name": one["name"].replace("tracer/prefill", "tracer/decode#1")} for one in LATE]
    for events, told in ((LATE, True), (decode, False)):
        finding = found("launch-bound", *_served(events))
        assert finding is not None
        assert ("cudagraph_capture_sizes" in finding.next_step) is told


def test_steps_of_an_engine_that_replay_graphs_are_not_told_to() -> None:
    def replays(step: str) -> list[Event]:
        late = stage(step, 0, 60, [GEMM] * 10)
        graph = [{**launch(1, 1, 90), "name": "cudaGraphLaunch"}, kernel(GEMM, 12, 2, 90)]
        return [*late, *graph]

    for step, words in (("tracer/decode#1", REPLAYED), (DECODES, REPLAYED_BY_ENGINE)):
        finding = found("launch-bound", *replays(step))
        assert finding is not None
        assert finding.next_step.startswith(words)

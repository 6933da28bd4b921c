"""Marks where nobody records: ranges in what somebody else's profiler writes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

import tracer
from tracer.recording.ranged import RangedMarks
from tracer.staging import Silence, recorded_by
from tracer.summarize import summarize_file


def _ranges(profiled: profile) -> Counter[str]:
    return Counter(event.name for event in profiled.events() or [] if event.name.startswith("tracer/"))


def _profile() -> profile:
    return profile(activities=[ProfilerActivity.CPU], acc_events=True)


def test_a_profiler_of_ones_own_sees_the_stages_and_summarize_reads_them(tmp_path: Path) -> None:
    with _profile() as profiled:
        for _ in range(2):
            with tracer.request():
                with tracer.stage("prefill"):
                    torch.ones(9) + 1
                for index in (1, 2):
                    with tracer.stage("decode", index=index):
                        torch.ones(9) + 1
    profiled.export_chrome_trace(str(tmp_path / "own.json"))
    summary = summarize_file(tmp_path / "own.json")
    assert (summary.trace.markers, summary.device.unattributed.ops) == ("tracer", 0)
    assert [(stage.stage, stage.calls) for stage in summary.stages] == [("prefill", 2), ("decode", 4)]
    assert [token.index for token in summary.tokens] == [1, 2, 1, 2]
    assert len({token.request for token in summary.tokens}) == 2


def test_without_a_profiler_a_mark_opens_nothing() -> None:
    with tracer.request(), tracer.stage("vision"):
        pass
    with _profile() as profiled:
        torch.ones(9) + 1
    assert not _ranges(profiled)


def test_a_request_within_a_request_is_part_of_it() -> None:
    with _profile() as profiled:
        with tracer.request(), tracer.request(), tracer.stage("vision"):
            torch.ones(9) + 1
    assert {name.partition("#")[0] for name in _ranges(profiled)} == {"tracer/request", "tracer/vision"}
    assert sum(_ranges(profiled).values()) == 2


def test_a_profiler_that_begins_or_ends_between_marks_sees_what_begins_under_it() -> None:
    with tracer.stage("load"), _profile() as profiled:
        with tracer.stage("vision"):
            torch.ones(9) + 1
    assert set(_ranges(profiled)) == {"tracer/vision"}
    profiled = _profile()
    profiled.__enter__()
    with tracer.stage("prefill"):
        torch.ones(9) + 1
        profiled.__exit__(None, None, None)
        with tracer.stage("vision"):
            torch.ones(9) + 1
    with _profile() as later, tracer.stage("decode"):
        torch.ones(9) + 1
    assert set(_ranges(later)) == {"tracer/decode"}


def test_an_exception_closes_the_ranges() -> None:
    with _profile() as profiled:
        try:
            with tracer.request(), tracer.stage("vision"):
                raise KeyError
        except KeyError:
            pass
        with tracer.stage("prefill"):
            torch.ones(9) + 1
    assert len(_ranges(profiled)) == 3


def test_tasks_and_threads_close_their_own_ranges() -> None:
    async def ask(stage: str, pause: float) -> None:
        with tracer.request(), tracer.stage(stage):
            await asyncio.sleep(pause)
            torch.ones(9) + 1

    async def together() -> None:
        await asyncio.gather(ask("vision", 0.02), ask("prefill", 0.01))

    with _profile() as profiled:
        asyncio.run(together())
        thread = threading.Thread(target=lambda: tracer.stage("load")(lambda: None)())
        thread.start()
        thread.join()
        with tracer.stage("decode"):
            torch.ones(9) + 1
    names = Counter(name.partition("#")[0] for name in _ranges(profiled).elements())
    assert names["tracer/request"] == 2
    assert names["tracer/vision"] == names["tracer/prefill"] == names["tracer/decode"] == 1


def test_in_a_recording_of_stages_marks_are_silent() -> None:
    with recorded_by(Silence()), _profile() as profiled, tracer.request(), tracer.stage("vision"):
        torch.ones(9) + 1
    assert not _ranges(profiled)


def test_under_nsys_marks_are_nvtx_ranges_though_torch_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "nvtx.py").write_text(
        "class annotate:\n"
        "    def __init__(self, message, domain, category, payload): self.all = [message, domain, category, payload]\n"
        "    def __enter__(self): print('push', *self.all)\n"
        "    def __exit__(self, *error): print('pop', self.all[0])\n"
    )
    script = (
        "import json, sys, tracer\n"
        "with tracer.request(), tracer.stage('decode', index=3): pass\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True,
        env={**os.environ, "NSYS_PROFILING_SESSION_ID": "1", "PYTHONPATH": path},
    )  # fmt: skip
    *said, modules = done.stdout.splitlines()
    assert said == [
        "push tracer/request#0 tracer request 0", "push tracer/decode#3 tracer decode 3",
        "pop tracer/decode#3", "pop tracer/request#0",
    ]  # fmt: skip
    assert not {"torch", "numpy", "msgspec"} & set(json.loads(modules))


def test_what_came_of_checking_a_draft_is_in_the_trace_and_in_the_summary(tmp_path: Path) -> None:
    with _profile() as profiled, tracer.request():
        for index, accepted in ((1, 2), (2, 0)):
            with tracer.stage("draft", index=index):
                torch.ones(9) + 1
            with tracer.stage("verify", index=index) as checking:
                torch.ones(9) + 1
                checking.result(drafted=4, accepted=accepted)
    profiled.export_chrome_trace(str(tmp_path / "own.json"))
    found = summarize_file(tmp_path / "own.json").speculation
    assert found is not None
    assert [(one.index, one.drafted, one.accepted, one.yielded) for one in found.each] == [(1, 4, 2, 3), (2, 4, 0, 1)]


def test_a_recorder_with_ranges_says_it_too_and_counts_the_rounds_tokens(tmp_path: Path) -> None:
    with _profile() as profiled, recorded_by(marks := RangedMarks(torch.device("cpu"))), tracer.request():
        with tracer.stage("draft", index=1):
            torch.ones(9) + 1
        with tracer.stage("verify", index=1) as checking:
            torch.ones(9) + 1
            checking.result(drafted=3, accepted=1)
    profiled.export_chrome_trace(str(tmp_path / "own.json"))
    found = summarize_file(tmp_path / "own.json").speculation
    assert found is not None
    assert (found.drafted_tokens, found.accepted_tokens) == (3, 1)
    (request,) = marks.requests
    assert (len(request.latencies.decode_ns), request.latencies.step_tokens) == (1, [2])

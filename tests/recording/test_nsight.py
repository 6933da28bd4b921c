"""The pass under nsys: with a made-up nsys everywhere, with a real one where there is one that sees our ranges."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from support.nsys_program import install, profiling
from support.silent import Silent
from support.typed import python

from model.registry import ModelOptions
from tracer.document import manifest as manifests
from tracer.document.errors import InputError
from tracer.document.summary import Summary
from tracer.recording.doctor import check_nsys
from tracer.recording.nsight import watched as nsight
from tracer.recording.options import RecordOptions, from_json
from tracer.recording.recorder import Recording, record
from tracer.recording.window import DecodeWindow, Schedule
from tracer.summarize import summarize_file

TOKENS = 3


def _options(output: Path, **changes: Any) -> RecordOptions:
    return RecordOptions(
        model="eventgpt",
        model_options=ModelOptions(size="tiny", device="cpu", dtype="float32", frames=1, prompt_tokens=8),
        output=output,
        requests=1,
        max_new_tokens=TOKENS,
        schedule=Schedule(wait=1, warmup=1, active=2, repeat=2),
        window=DecodeWindow(1, TOKENS),
        verify=False,
        **changes,
    )


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Recording:
    folder = tmp_path_factory.mktemp("nsys")
    program = profiling(folder, data / "nsight_cpu_nvtx.sqlite")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", python())
        return record(_options(folder / "run.json", nsys=program), Silent())


def test_the_report_lies_beside_the_trace(recording: Recording) -> None:
    assert recording.report is not None
    folder = recording.report.parent
    assert recording.report == folder / "run.nsys-rep"
    assert {path.name for path in folder.iterdir()} == {
        "run.json", "run.nsys-rep", "nsys", "report", "export.sqlite", "profiled",
    }  # fmt: skip


def test_nsys_is_asked_for_ranges_alone_on_a_cpu(recording: Recording) -> None:
    assert recording.report is not None
    typed = (recording.report.parent / "profiled").read_text()
    assert "--sample=none --cpuctxsw=none --force-overwrite=true --export=none --trace=nvtx --output=" in typed
    assert "cuda" not in typed.partition("--output=")[0]


def test_a_machine_that_only_collects_leaves_a_raw_recording(tmp_path: Path, data: Path, recording: Recording) -> None:
    program = profiling(tmp_path, data / "nsight_cpu_nvtx.sqlite", suffix="qdstrm", starts=False)
    made = nsight.nsight_pass(_options(tmp_path / "run.json.gz"), recording.manifest, program)
    assert made == tmp_path / "run.qdstrm"


def test_what_stops_the_watched_process_is_said(tmp_path: Path, recording: Recording) -> None:
    program = install(tmp_path, '#!/bin/sh\necho "the target application returned 1" >&2\nexit 1\n')
    with pytest.raises(InputError, match=r"run\.nsys-rep: nsys recorded nothing \(the target application returned 1\)"):
        nsight.nsight_pass(_options(tmp_path / "run.json"), recording.manifest, program)
    assert [path.name for path in tmp_path.iterdir()] == ["nsys"]


class _Emitter:
    """Keeps what would have been emitted."""

    def __init__(self) -> None:
        self.pushed: list[str] = []
        self.marks: list[str] = []

    def push(self, kind: str, index: int | None = None) -> None:
        self.pushed.append(kind if index is None else f"{kind}#{index}")

    def pop(self) -> None: ...

    def mark(self, text: str) -> None:
        self.marks.append(text)

    depth = 0

    def close_down_to(self, depth: int) -> None: ...


def test_the_watched_process_emits_the_recorded_requests_and_the_manifest(
    tmp_path: Path, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    emitter = _Emitter()
    monkeypatch.setattr(nsight, "RangeEmitter", lambda: emitter)
    nsight.run_profiled(_options(tmp_path / "run.json"), recording.manifest)
    stages = ["load", "preprocess", "vision", "encoder", "prefill", "decode#1", "decode#2"]
    assert [name.partition("#")[0] if "encoder" in name else name for name in emitter.pushed] == [
        name for request in (2, 3, 6, 7) for name in (f"request#{request}", *stages)
    ]
    found = manifests.from_marks(emitter.marks)
    assert found is not None
    assert (found.clean, found.cost) == (recording.manifest.clean, recording.manifest.cost)
    assert [len(request.decode_ns) for request in found.profiled] == [TOKENS - 1] * 4


def test_options_survive_the_file_that_carries_them(tmp_path: Path) -> None:
    options = _options(tmp_path / "run.json", couple=True)
    model = replace(options.model_options, input=Path("a b.npy"), checkpoint=tmp_path)
    options = replace(options, model_options=model)
    assert from_json(json.loads(json.dumps(asdict(options), default=str))) == options
    assert from_json(json.loads(json.dumps(asdict(replace(options, nsys=tmp_path)), default=str))) == options


def test_a_manifest_is_found_among_marks(recording: Recording) -> None:
    mark = manifests.to_mark(recording.manifest)
    assert manifests.from_marks(["tracer/manifest {}", "other", mark, "tracer/manifest broken"]) == recording.manifest
    assert manifests.from_marks(["tracer/manifest {}"]) is None


def _real_nsys() -> str | None:
    """Why the real one cannot be tried."""
    if shutil.which("nsys") is None:
        return "no nsys on PATH"
    return next((check.found for check in check_nsys() if check.status != "ok"), None)


def _ranges(summary: Summary) -> Counter[str]:
    """How many there are of each name; runs of the encoder are numbered from the start of the process."""
    names = [row.name for row in summary.ranges for _ in range(row.count) if row.name.startswith("tracer/")]
    return Counter(name.partition("#")[0] if "encoder" in name else name for name in names)


def test_the_real_nsys_records_what_the_trace_has(tmp_path: Path) -> None:
    if (reason := _real_nsys()) is not None:
        pytest.skip(reason)
    run = tmp_path / "run.json"
    options = (
        "--size tiny --device cpu --frames 2 --max-new-tokens 4 --active 2 --requests 1 --no-verify --nsys".split()
    )
    command = [sys.executable, "-m", "tracer", "record", *options, "-o", str(run)]
    subprocess.run(command, check=True, capture_output=True, env=os.environ)
    chrome, report = summarize_file(run), summarize_file(tmp_path / "run.nsys-rep")
    assert report.trace.format == "nsight"
    assert report.run == chrome.run
    assert _ranges(chrome) == _ranges(report)
    assert [(row.stage, row.calls) for row in chrome.stages] == [(row.stage, row.calls) for row in report.stages]
    assert [(row.request, row.index) for row in chrome.tokens] == [(row.request, row.index) for row in report.tokens]

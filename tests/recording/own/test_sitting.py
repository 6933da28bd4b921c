"""What a run of marked code leaves, and what is said of it later."""

from __future__ import annotations

import threading
from pathlib import Path

from msgspec.structs import replace
from support.manifests import latencies, manifest

import tracer
from reports.text import render
from tracer.recording.marks import Marks
from tracer.recording.own.sitting import manifest_of, sitting_of
from tracer.recording.write.output import write_run
from tracer.staging import recorded_by
from tracer.summarize import summarize_file


def test_what_ran_beside_is_said_in_the_manifest() -> None:
    marks = Marks()
    with recorded_by(marks), tracer.request(), tracer.stage("vision"):
        thread = threading.Thread(target=lambda: tracer.request()(lambda: None)())
        thread.start()
        thread.join()
    sitting = sitting_of(marks)
    made = manifest_of(sitting, sitting, model={"name": "m"}, warmup=0, options={}, reason="")
    (warning,) = made.warnings
    assert warning.startswith("1 of 2 requests were not measured, as another was open on another thread; ")
    alone = manifest_of(replace(sitting, beside=0), sitting, model={"name": "m"}, warmup=0, options={}, reason="")
    assert alone == replace(made, warnings=[])


def test_what_a_recording_warned_of_is_repeated_by_summarize(tmp_path: Path) -> None:
    capture = tmp_path / "capture.json"
    capture.write_text(
        '{"schemaVersion": 1, "traceEvents": [{"ph": "X", "cat": "cpu_op", "name": "aten::add", "pid": 1, "tid": 1, '
        '"ts": 1, "dur": 2}]}'
    )
    for warnings in ([], ["2 of 7 requests were not measured"]):
        write_run(tmp_path / "run.json", [capture], manifest([latencies()], warnings=warnings))
        summary = summarize_file(tmp_path / "run.json")
        assert [warning for warning in summary.trace.warnings if "measured" in warning] == warnings
        assert ("warning: 2 of 7 requests were not measured" in render(summary, width=120)) == bool(warnings)

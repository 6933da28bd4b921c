"""`tracer compare` and budgets as a person types them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.summaries import requests, save, summary
from support.typed import typed

_tracer = typed


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("compare")
    return [save(summary(requests(vision)), folder / f"{vision}.json") for vision in (30, 33, 27)]


def test_saved_summaries_are_compared(files: list[Path]) -> None:
    done = _tracer("compare", *files, "--tolerance", "1%")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nB is slower in vision (+10 %), " in done.stdout
    assert "\nC is faster in vision (-10 %), " in done.stdout
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_the_json_document_is_versioned_and_has_the_gates(files: list[Path]) -> None:
    gates = ["--budget", "tpot<=1s", "--tolerance", "1%", "--max-regression", "50%"]
    done = _tracer("compare", *files[:2], "--format", "json", *gates)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["schema"] == "tracer.comparison/1"
    assert [run["path"] for run in document["runs"]] == [str(path) for path in files[:2]]
    assert [(gate["of"], gate["passed"]) for gate in document["gates"]] == [("tpot", True), ("vision", True)]


def test_each_gate_that_failed_is_a_line_and_the_code_is_3(files: list[Path]) -> None:
    budgets = ["--budget", "vision<=20%", "--budget", "tpot <= 20ms", "--budget", "ttft<=1s"]
    limit = ["--tolerance", "1%", "--max-regression", "5%"]
    done = _tracer("compare", *files[:2], *budgets, *limit, "--format", "markdown")
    assert done.returncode == 3
    assert done.stdout.startswith("## tracer compare\n")
    assert done.stderr.splitlines() == [
        f"tracer: {files[1]}: vision takes 26 % of the request; --budget vision<=20% allows 20 %",
        f"tracer: {files[1]}: tpot takes 20.0 ms; --budget tpot <= 20ms allows 20.0 ms, 10.0 µs less",
        f"tracer: {files[1]}: vision is 10 % slower than the baseline; --max-regression 5% allows 5 %",
    ]


def test_budgets_hold_for_every_file_but_the_baseline(files: list[Path]) -> None:
    slow, quick = files[1], files[2]
    assert _tracer("compare", slow, quick, "--budget", "vision<=30ms").returncode == 0
    assert _tracer("compare", quick, slow, "--budget", "vision<=30ms").returncode == 3


def test_a_summary_from_standard_input(files: list[Path]) -> None:
    done = _tracer("compare", files[0], "-", stdin=files[1].read_bytes())
    assert (done.returncode, done.stderr) == (0, "")
    assert "standard input" in done.stdout
    refused = _tracer("compare", files[0], "-", stdin=b'{"traceEvents": []}')
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "tracer: standard input: no saved summary; give a trace by its name\n"


def test_a_real_trace_against_itself(data: Path) -> None:
    trace = data / "kineto_b200_vllm_eager.json.gz"
    done = _tracer("compare", trace, trace)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^\d\d+ kernels take the same time\.$", done.stdout, re.MULTILINE)
    refused = _tracer("compare", trace, trace, "--max-regression", "5%")
    assert refused.returncode == 3
    assert "A and B beside each other; nothing could be tested." in refused.stdout
    assert "--max-regression 5% cannot be judged: times are of the traces" in refused.stderr


def test_one_recording_of_each_is_judged_by_no_limit_unless_drift_is_allowed_for(files: list[Path]) -> None:
    refused = _tracer("compare", *files[:2], "--max-regression", "90%")
    assert refused.returncode == 3
    assert "--max-regression 90% cannot be judged: one recording of each run" in refused.stderr
    assert "cannot be judged" in refused.stdout
    assert _tracer("compare", *files[:2], "--max-regression", "90%", "--tolerance", "3%").returncode == 0


def test_a_trace_without_stages_is_compared_by_totals_and_kernels(data: Path) -> None:
    trace = data / "kineto_alexnet.json.gz"
    done = _tracer("compare", trace, trace)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^device time +66.2 ms +66.2 ms +× 1.000$", done.stdout, re.MULTILINE)
    assert re.search(r"^\d+ kernels take the same time\.$", done.stdout, re.MULTILINE)


def test_several_recordings_of_each_run(files: list[Path]) -> None:
    done = _tracer("compare", files[0], files[0], files[1], files[1], "--recordings", "2")
    assert done.returncode == 0
    assert "2 from /" in done.stdout
    done = _tracer("compare", *files[:3], "--recordings", "2")
    assert done.returncode == 2
    assert done.stderr == "tracer: --recordings 2: 3 files are not two runs or more of so many each\n"


def test_several_limits_may_follow_one_budget(files: list[Path]) -> None:
    done = _tracer("compare", *files[:2], "--budget", "vision<=1ms", "tpot<=1ms", "request<=99s")
    assert done.returncode == 3
    assert [line.split(" takes ")[0].rpartition(" ")[2] for line in done.stderr.splitlines()] == ["vision", "tpot"]


def test_summarize_holds_to_budgets_too(data: Path) -> None:
    trace = data / "kineto_b200_vllm_eager.json.gz"
    done = _tracer("summarize", trace, "--budget", "prefill<=1%")
    assert done.returncode == 3
    assert done.stdout.startswith(str(trace)[:20])
    assert done.stderr.startswith(f"tracer: {trace}: prefill takes ")
    assert _tracer("summarize", trace, "--budget", "prefill<=100%").returncode == 0
    done = _tracer("summarize", trace, "--budget", "prefill<=100%", "--format", "markdown")
    assert (done.returncode, done.stderr) == (0, "")
    assert "| kept | prefill&#60;=100% | prefill | 100 % |" in done.stdout
    missing = _tracer("summarize", trace, "--budget", "vision<=1%")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr == f"tracer: {trace}: --budget vision<=1%: it has no vision; it has prefill\n"

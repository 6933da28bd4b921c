"""Where a report goes, how wide it is, and a saved summary rendered again."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from support.chrome import kernel, launch, span, write
from support.summaries import requests, save, summary
from support.typed import typed

from tracer.cli.main import main


@pytest.fixture
def tracer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command as a person types it, in this process: code, standard output, standard error."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tracer", *map(str, arguments)])
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            with pytest.raises(SystemExit) as end:
                main()
        return int(str(end.value.code)), out.getvalue(), err.getvalue()

    return run


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Thirty ranges and thirty kernels, each of another name."""
    events = [event for i in range(30) for event in (span(f"range {i}", 9 * i, 9), launch(9 * i + 1, 1, i + 1))]
    return write(tmp_path / "a.json", *events, *[kernel(f"k{i}", 9 * i + 3, 5, i + 1) for i in range(30)])


@pytest.mark.parametrize(("traced", "rendered"), [([], []), (["--by", "kernel"], []), ([], ["--format", "markdown"])])
def test_a_saved_summary_is_rendered_as_its_trace_is(
    tracer: Any, trace: Path, tmp_path: Path, traced: list[str], rendered: list[str]
) -> None:
    saved = tmp_path / "s.json"  # a name as long as the trace's
    assert tracer("summarize", trace, *traced, "--format", "json", "-o", saved) == (0, "", "")
    again = tracer("summarize", saved, *rendered)
    assert again[::2] == (0, "")
    assert again[1].replace("s.json", "a.json") == tracer("summarize", trace, *traced, *rendered)[1]


def test_standard_input_may_be_a_saved_summary_or_a_trace(trace: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    assert typed("summarize", trace, "--format", "json", "-o", saved).returncode == 0
    by_name = typed("summarize", trace, "--width", 200).stdout
    for path in (saved, trace):
        done = typed("summarize", "-", "--width", 200, stdin=path.read_bytes())
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.split("\n", 1)[1] == by_name.split("\n", 1)[1]
        assert done.stdout.startswith("standard input ·")
    done = typed("summarize", "-", "--by", "kernel", stdin=saved.read_bytes())
    assert done.returncode == 2
    assert done.stderr == "tracer: --by: standard input is a saved summary; give the trace that it was made of\n"


def test_a_saved_breakdown_is_asked_for_again(tracer: Any, trace: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    tracer("summarize", trace, "--by", "kernel", "--format", "json", "-o", saved)
    assert tracer("summarize", saved, "--by", "kernel") == tracer("summarize", saved)
    code, out, err = tracer("summarize", saved, "--by", "category")
    assert (code, out) == (2, "")
    assert err == f"tracer: --by: {saved} is a saved summary; give the trace that it was made of\n"


def test_what_only_the_trace_has_is_a_usage_error(tracer: Any, tmp_path: Path) -> None:
    saved = save(summary(requests()), tmp_path / "saved.json")
    options = ["--marker", "decode=x", "--any-thread", "--nsys-path", "/", "--jobs", "2", "--peak-gbs", "5"]
    code, out, err = tracer("summarize", saved, *options)
    assert (code, out) == (2, "")
    assert err.startswith("tracer: --marker, --any-thread, --peak-gbs, --jobs, --nsys-path: ")


def test_a_saved_summary_is_held_to_budgets(tracer: Any, tmp_path: Path) -> None:
    saved = save(summary(requests()), tmp_path / "saved.json")
    code, out, err = tracer("summarize", saved, "--budget", "ttft<=1ms")
    assert code == 3
    assert re.search(r"^FAILED  ttft<=1ms  ttft ", out, re.MULTILINE)
    assert err.startswith(f"tracer: {saved}: ttft takes ")


def test_a_comparison_that_was_saved_is_no_summary(tracer: Any, tmp_path: Path) -> None:
    saved, compared = save(summary(requests()), tmp_path / "a.json"), tmp_path / "b.json"
    assert tracer("compare", saved, saved, "--format", "json", "-o", compared) == (0, "", "")
    code, _, err = tracer("summarize", compared)
    assert (code, err) == (1, f"tracer: {compared}: a saved comparison, not a summary or a trace\n")


@pytest.mark.parametrize("verb", ["summarize", "compare"])
def test_output_is_what_would_have_been_printed(tracer: Any, verb: str, tmp_path: Path) -> None:
    files = [save(summary(requests()), tmp_path / "a.json")] * (2 if verb == "compare" else 1)
    for output_format in ("text", "json", "markdown"):
        printed = tracer(verb, *files, "--format", output_format)[1]
        written = tmp_path / f"b.{output_format}"
        assert tracer(verb, *files, "--format", output_format, "--output", written) == (0, "", "")
        assert written.read_text() == printed


def test_a_dash_is_standard_output(tracer: Any, trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trace.parent)
    assert tracer("summarize", trace, "-o", "-") == tracer("summarize", trace)
    assert [path.name for path in Path().iterdir()] == ["a.json"]


def test_an_output_is_never_overwritten_unasked(tracer: Any, trace: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.txt"
    there.write_text("mine")
    code, out, err = tracer("summarize", trace, "-o", there)
    assert (code, out, err) == (2, "", f"tracer: --output {there}: exists already; --force overwrites it\n")
    assert there.read_text() == "mine"
    assert tracer("summarize", trace, "-o", there, "--force")[0] == 0
    assert there.read_text().startswith(str(trace)[:20])


@pytest.mark.parametrize(
    ("where", "says"), [("none/a.txt", "no such folder as"), (".", "is a folder"), ("/dev/full", "No space left")]
)
def test_an_output_that_cannot_be_is_one_line(
    tracer: Any, trace: Path, monkeypatch: pytest.MonkeyPatch, where: str, says: str
) -> None:
    monkeypatch.chdir(trace.parent)
    code, out, err = tracer("summarize", trace, "--force", "-o", where)
    assert (code, out) == (1 if where == "/dev/full" else 2, "")
    assert says in err
    assert len(err.splitlines()) == 1
    assert [path.name for path in Path().iterdir()] == ["a.json"]


def test_a_gate_that_failed_still_writes_the_report(tracer: Any, tmp_path: Path) -> None:
    saved, written = save(summary(requests()), tmp_path / "a.json"), tmp_path / "b.md"
    assert tracer("summarize", saved, "--budget", "ttft<=1ms", "--format", "markdown", "-o", written)[0] == 3
    assert "**FAILED**" in written.read_text()


@pytest.mark.parametrize("width", [40, 60, 200])
def test_the_width_is_as_asked_whatever_the_terminal_is(tracer: Any, trace: Path, width: int) -> None:
    lines = tracer("summarize", trace, "--width", width)[1].splitlines()
    assert width // 2 < max(map(len, lines)) <= width


def test_top_says_how_many_rows_and_the_report_how_to_see_all(tracer: Any, trace: Path) -> None:
    def rows(*options: object) -> list[str]:
        return re.findall(r"^(?:no stage)? *(?:range|k) ?\d+ ", tracer("summarize", trace, *options)[1], re.MULTILINE)

    assert [len(rows(*options)) for options in ([], ["--top", 3], ["--top", 30], ["--all-ranges"])] == [
        15 + 12, 3 + 3, 30 + 30, 30 + 30,
    ]  # fmt: skip
    assert [len(rows("--by", "kernel", *options)) for options in ([], ["--top", 30])] == [12, 30]
    assert " 15 more names: --top 30." in " ".join(tracer("summarize", trace)[1].split())


def test_what_the_report_names_can_be_asked_for(tracer: Any, data: Path, nsight_export: Path) -> None:
    for trace in (data / "kineto_b200_vllm_eager.json.gz", nsight_export):
        said = " ".join(tracer("summarize", trace)[1].split())
        for option in set(re.findall(r"--(?:by|top) \w+", said)):
            code, out, err = tracer("summarize", trace, *option.split())
            assert (code, err) == (0, "")
            assert out
            assert " more " not in out or option.startswith("--by")


def test_top_of_a_comparison(tracer: Any, tmp_path: Path) -> None:
    usual = ("vision", "usual", 5)
    more = [usual, *(("vision", f"kernel{i}", 10 + i) for i in range(20))]
    files = [save(summary(kernels=made), tmp_path / f"{i}.json") for i, made in enumerate(([usual], more))]
    said = tracer("compare", *files)[1]
    assert (said.count(" appeared  "), " 8 more: --top 20." in " ".join(said.split())) == (12, True)
    assert tracer("compare", *files, "--top", 20)[1].count(" appeared  ") == 20


def test_json_knows_no_width(tracer: Any, trace: Path) -> None:
    document = json.loads(tracer("summarize", trace, "--format", "json", "--width", 20, "--top", 1)[1])
    assert len(document["ranges"]) == 30
    assert os.environ["COLUMNS"] == "80"

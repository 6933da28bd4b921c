"""`tracer report`, as typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.chrome import kernel, launch, span, write
from support.joint import both, model
from support.staged import staged_trace
from support.typed import typed


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return staged_trace(tmp_path_factory.mktemp("trace") / "run.json.gz", steps=6, ops=5)


def test_it_writes_one_page_and_says_where(trace: Path, tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    done = typed("report", trace, "-o", page)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{page}, 0.1 MB: open it in a browser\n", "")
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_the_same_trace_gives_the_same_page(trace: Path, tmp_path: Path) -> None:
    pages = [tmp_path / "a.html", tmp_path / "b.html"]
    for page in pages:
        assert typed("report", trace, "-o", page).returncode == 0
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_a_page_that_is_there_is_kept_unless_forced(trace: Path, tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    page.write_text("mine")
    done = typed("report", trace, "-o", page)
    assert (done.returncode, page.read_text()) == (2, "mine")
    assert "--force overwrites it" in done.stderr
    assert typed("report", trace, "-o", page, "--force").returncode == 0
    assert page.read_text() != "mine"


def test_it_goes_to_standard_output_where_that_is_asked_and_is_the_same(trace: Path, tmp_path: Path) -> None:
    done = typed("report", trace, "-o", "-")
    assert (done.returncode, done.stderr) == (0, "")
    assert typed("report", trace, "-o", tmp_path / "a.html").returncode == 0
    assert done.stdout == (tmp_path / "a.html").read_text()


def test_a_saved_summary_will_do(trace: Path, tmp_path: Path) -> None:
    saved, page = tmp_path / "run.json", tmp_path / "run.html"
    assert typed("summarize", trace, "--format", "json", "-o", saved).returncode == 0
    assert typed("report", saved, "-o", page).returncode == 0
    assert "A saved summary has no timeline" in page.read_text()


def test_models_at_once_are_held_against_their_own_traces_on_the_page_too(trace: Path, tmp_path: Path) -> None:
    beside, page = write(tmp_path / "both.json", *both()), tmp_path / "models.html"
    alone = [
        f"--solo={role}={write(tmp_path / f'{role}.json', *model(name, 60, busy=busy))}"
        for role, name, busy in (("S", "small", 10), ("L", "large", 80))
    ]
    done = typed("report", beside, *alone, "-o", page)
    assert done.returncode == 0, done.stderr
    assert "models at once" in page.read_text()
    for refused in ([trace, trace], [tmp_path]):
        done = typed("report", *refused, alone[0], "-o", tmp_path / "no.html")
        assert (done.returncode, "--solo is of one trace" in done.stderr) == (2, True)


def test_of_several_files_the_first_is_the_baseline(trace: Path, tmp_path: Path) -> None:
    other, page = staged_trace(tmp_path / "other.json", steps=6, ops=5, seed=2), tmp_path / "both.html"
    done = typed("report", trace, other, "-o", page)
    assert done.returncode == 0, done.stderr
    assert "B against A" in page.read_text()


def test_a_marker_says_which_ranges_are_the_stages(tmp_path: Path) -> None:
    events = [span("step 3", 0, 50), launch(1, 1, 1), kernel("k", 5, 9, 1)]
    page = tmp_path / "run.html"
    assert (
        typed("report", write(tmp_path / "a.json", *events), "--marker", r"decode=step (\d+)", "-o", page).returncode
        == 0
    )
    assert "stages: by --marker" in page.read_text()


def test_what_cannot_be_read_leaves_no_page(tmp_path: Path) -> None:
    page, broken = tmp_path / "run.html", tmp_path / "broken.json"
    broken.write_text("no trace")
    for path, said in ((broken, "not a trace"), (tmp_path / "none.json", "No such file"), (tmp_path, "a folder")):
        done = typed("report", path, "-o", page)
        assert done.returncode == 1
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not page.exists()

"""The three commands as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import ranks
from support.chrome import kernel, launch, span, write
from support.typed import typed

from tracer.cli.tracks import add_tracks
from tracer.summarize import summarize_file


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return write(
        tmp_path / "a.json", span("tracer/request#2", 0, 50), span("tracer/decode#1", 1, 9), launch(2, 1, 1),
        kernel("k", 4, 3, 1), span("tracer/decode#2", 11, 9), launch(12, 1, 2), kernel("k", 14, 3, 2),
    )  # fmt: skip


def test_annotate_writes_and_says_what(trace: Path, tmp_path: Path) -> None:
    output = tmp_path / "b.json.gz"
    done = typed("annotate", trace, "-o", output)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"wrote {output} (0.0 MB), which opens in https://ui.perfetto.dev\n"
    refused = typed("annotate", trace, "-o", output)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == f"tracer: {output}: exists already; --force overwrites it\n"


def test_annotate_says_that_a_trace_was_torn(trace: Path, tmp_path: Path) -> None:
    trace.write_bytes(trace.read_bytes()[:-40])
    done = typed("annotate", trace, "-o", tmp_path / "b.json")
    assert done.returncode == 0
    torn, lost = done.stderr.splitlines()
    assert torn == f"tracer: {trace}: cut off; {tmp_path / 'b.json'} ends behind its last whole event"
    assert lost.startswith(f"tracer: {trace}: 1 of 2 cudaLaunchKernel has no device op")


def test_ranks_are_merged_from_their_folder_and_what_is_missing_is_said(tmp_path: Path) -> None:
    paths = ranks.write(tmp_path / "run", ranks.Plan(ranks=3, passes=2, layers=2))
    paths[1].unlink()
    output = tmp_path / "merged.json"
    done = typed("annotate", "--merge", tmp_path / "run", "-o", output)
    assert (done.returncode, done.stderr) == (0, "tracer: no trace of rank 1\n")
    assert done.stdout == (
        "ranks 0, 2: 40 events on one timeline, clocks alike to 0 ns\n"
        f"wrote {output} (0.0 MB), which opens in https://ui.perfetto.dev\n"
    )


def test_several_traces_without_merge_are_refused(trace: Path, tmp_path: Path) -> None:
    done = typed("annotate", trace, trace, "-o", tmp_path / "b.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tracer: 2 traces: --merge puts the ranks of one run into one file\n"


def test_annotate_may_replace_what_it_reads(trace: Path) -> None:
    before = summarize_file(trace)
    assert typed("annotate", trace, "-o", trace, "--force").returncode == 0
    assert b'"tracer tracks"' in trace.read_bytes()
    assert summarize_file(trace) == before


def test_slice_writes_and_says_what(trace: Path, tmp_path: Path) -> None:
    output = tmp_path / "b.json"
    done = typed("slice", trace, "--request", 2, "--tokens", "2:3", "-o", output)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"wrote {output} (0.0 MB): 1 range of stages, with the figures of the whole\n"
    assert [token.index for token in summarize_file(output).tokens] == [2]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ([], 2, "say which part: --request, --tokens or --stage"),
        (["--tokens", "5:5"], 2, "--tokens 5:5: write START:STOP, as in 8:16"),
        (["--tokens", "x"], 2, "--tokens x: write START:STOP"),
        (["--stage", "dance"], 2, "--stage dance: no such stage; there are load,"),
        (
            ["--request", "0"],
            1,
            "a.json: nothing in it is request 0; there are requests 2, decode steps 1 to 2, decode",
        ),
    ],
)
def test_slice_refuses_in_one_line(options: list[str], code: int, message: str, trace: Path, tmp_path: Path) -> None:
    done = typed("slice", trace, *options, "-o", tmp_path / "b.json")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert message in done.stderr
    assert not (tmp_path / "b.json").exists()


@pytest.mark.parametrize(("name", "message"), [("none.json", "no such file"), (".", "no such file")])
def test_open_refuses_what_is_no_file(name: str, message: str, tmp_path: Path) -> None:
    done = typed("open", tmp_path / name, "--no-browser")
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr


def test_what_record_writes_gets_its_tracks_and_is_kept_without_them(trace: Path, tmp_path: Path) -> None:
    before = summarize_file(trace)
    add_tracks(trace)
    assert b'"tracer tracks"' in trace.read_bytes()
    assert summarize_file(trace) == before
    damaged = tmp_path / "damaged.json"
    damaged.write_text('{"no": "trace"}')
    add_tracks(damaged)
    assert damaged.read_text() == '{"no": "trace"}'

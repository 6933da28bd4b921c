"""`tracer ranks` as typed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from support.ranks import Plan, write
from support.typed import typed

if TYPE_CHECKING:
    from pathlib import Path


def _typed(*arguments: object) -> tuple[int, str, str]:
    done = typed(*arguments)
    return done.returncode, done.stdout, done.stderr


def test_a_folder_says_who_is_late_and_why(tmp_path: Path) -> None:
    write(tmp_path, Plan(ranks=3, device={1: 2_000_000}))
    code, out, err = _typed("ranks", tmp_path, "--width", "100")
    assert (code, err) == (0, "")
    assert "3 ranks of a run of 3" in out
    assert "1  decode   device     2.00 ms" in out
    assert "gemm_of_a_layer" in out
    assert "[rank-straggler]" in out


def test_markdown_and_json_say_the_same(tmp_path: Path) -> None:
    write(tmp_path, Plan(ranks=3, network={1: 2_000_000}))
    code, out, _ = _typed("ranks", tmp_path, "--format", "markdown")
    assert code == 0
    assert out.startswith("## tracer ranks\n")
    assert "| 1 | decode | network |" in out
    code, out, _ = _typed("ranks", tmp_path, "--format", "json")
    document = json.loads(out)
    assert (code, document["schema"], document["world_size"]) == (0, "tracer.ranks/1", 3)
    assert {(one["rank"], one["cause"]) for one in document["stragglers"]} == {(1, "network")}


def test_names_from_files_cannot_steer_the_terminal(tmp_path: Path) -> None:
    paths = write(tmp_path, Plan(ranks=2, device={1: 2_000_000}))
    for path in paths:
        path.write_text(path.read_text().replace("gemm_of_a_layer", "gemm\\u001b[31m"))
    code, out, _ = _typed("ranks", tmp_path)
    assert code == 0
    assert "\x1b[31m" not in out


def test_a_run_without_collectives_says_so(tmp_path: Path) -> None:
    write(tmp_path, Plan(ranks=2, layers=0), None)
    code, _, err = _typed("ranks", tmp_path)
    assert code == 1
    assert "no device work" in err


def test_one_trace_is_an_error_with_what_to_do(tmp_path: Path) -> None:
    paths = write(tmp_path, Plan(ranks=2))
    code, _, err = _typed("ranks", paths[0])
    assert code == 1
    assert "give the traces of all" in err


def test_summarize_of_a_folder_of_ranks_points_here(tmp_path: Path) -> None:
    paths = write(tmp_path, Plan(ranks=2))
    assert "tracer ranks" in _typed("summarize", tmp_path)[2]
    paths[1].unlink()
    assert "tracer ranks" not in _typed("summarize", tmp_path)[2]

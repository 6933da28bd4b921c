"""What `tracer critical-path` says by itself; the path is HolisticTraceAnalysis' own."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.chrome import kernel, launch, operator, span, write

from reports.document import of_critical_path
from reports.parts.critical_path import piece
from reports.render.markdown import render as as_markdown
from reports.render.text import render as as_text
from tracer.cli.critical_path import _check, _piece
from tracer.document.critical_path import CriticalPath, PathPiece
from tracer.document.errors import InputError, UsageError


def _row(bound_by: str, name: object, kind: str = "critical_path_operator") -> PathPiece:
    return _piece({"bound_by": bound_by, "s_name": name, "type": kind, "duration": 1.0})


def test_gaps_are_called_gaps_and_pieces_of_work_by_their_name() -> None:
    assert piece(_row("gpu_kernel_kernel_overhead", "gemm")) == "gap on the device after gemm"
    assert piece(_row("gpu_kernel_launch_overhead", float("nan"))) == "gap between launch and start of a kernel"
    assert piece(_row("gpu_compute_bound", "gemm")) == "gemm"
    assert piece(_row("", float("nan"), "critical_path_dependency")) == "critical path dependency"


def _trace(path: Path) -> Path:
    work = [launch(1, 1, 1), kernel("k", 3, 1, 1), launch(21, 1, 2), kernel("k", 23, 1, 2)]
    return write(path, span("step#0", 0, 9), span("step#1", 20, 9), span("other", 40, 9), *work)


def test_a_range_that_there_is_not_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    trace = _trace(tmp_path / "a.json")
    _check(trace, "step", 1)
    with pytest.raises(InputError, match="no range of it is called 'stop#0'; name one of its own by --range: 'step#0'"):
        _check(trace, "stop#0", 0)
    with pytest.raises(UsageError, match="--instance 2: .*a.json has 2 ranges 'step', from 0 on"):
        _check(trace, "step", 2)


def test_no_option_is_blamed_where_there_is_no_device_work(tmp_path: Path) -> None:
    trace = write(tmp_path / "a.json", span("step", 0, 9), operator("aten::mm", 1, 5))
    with pytest.raises(InputError, match="it has no device work, which HolisticTraceAnalysis needs") as error:
        _check(trace, "step", 0)
    assert "--range" not in str(error.value)


def test_every_renderer_says_what_bounds_the_range_and_cuts_names_not_times() -> None:
    pieces = [
        _row("cpu_bound", "aten::mm"), _row("gpu_compute_bound", "a" * 300),
        _row("gpu_kernel_kernel_overhead", "gemm"), _row("", float("nan"), "critical_path_dependency"),
    ]  # fmt: skip
    blocks = of_critical_path(CriticalPath(pieces=pieces))
    text, markdown = as_text(blocks, width=60), as_markdown(blocks, heading="x")
    for said in (text, markdown):
        assert "gaps between kernels" in said
        assert said.count("1.00 µs") == 3 + 4
        assert "25.0%" in said
        assert "longest on the path, of 4 pieces" in said
    assert max(map(len, text.splitlines())) <= 60

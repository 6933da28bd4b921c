"""Our figures beside those of `nsys stats`, range by range, to the nanosecond.

Everywhere against the reports' definitions computed slowly, and against the program itself where it is installed.
"""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.nsight import MAIN, OTHER, Export, global_tid
from support.nsys_reports import gpu_projection, kernel_sums

from tracer.summarize import Choices, summarize_file

Figures = dict[tuple[str, str], int]
OUR_DOMAIN = "tracer:"
STYLES = {"push_pop": "PushPop", "start_end": "StartEnd"}


def _ours(path: Path) -> tuple[Figures, Figures]:
    """Projected span and kernel sum by name and style, without the zeros."""
    rows = summarize_file(path, Choices(all_ranges=True)).ranges
    spans = {(row.name, STYLES[row.style]): row.projected_ns for row in rows}
    kernels = {(row.name, STYLES[row.style]): row.kernel_ns for row in rows}
    return _above_zero(spans), _above_zero(kernels)


def _above_zero(figures: Figures) -> Figures:
    return {key: value for key, value in figures.items() if value}


def _defined(path: Path) -> tuple[Figures, Figures]:
    """The same by the reports' definitions."""
    spans, kernels = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for row in gpu_projection(path):
        spans[_bare(row.name), row.style] += row.total_ns
    for row in kernel_sums(path):
        if row.name is not None and row.style is not None:
            kernels[_bare(row.name), row.style] += row.total_ns
    return _above_zero(spans), _above_zero(kernels)


def _bare(name: str) -> str:
    return name.removeprefix(OUR_DOMAIN)


def _printed(path: Path) -> tuple[Figures, Figures]:
    """The same as nsys prints it."""
    spans, kernels = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for row in _report(path, "nvtx_gpu_proj_sum"):
        spans[_bare(row["Range"]).removeprefix(":"), row["Style"]] += int(row["Total Proj Time (ns)"])
    for row in _report(path, "nvtx_kern_sum"):
        if row["NVTX Range"]:
            kernels[_bare(row["NVTX Range"]).removeprefix(":"), row["Style"]] += int(row["Total Time (ns)"])
    return _above_zero(spans), _above_zero(kernels)


def _report(path: Path, name: str) -> list[dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        # nsys writes its own tables into the file.
        copy = shutil.copy(path, folder)
        command = ["nsys", "stats", "-q", "--format", "csv", "-r", name, copy]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = text.splitlines()
    header = next((number for number, line in enumerate(lines) if "Range" in line and "," in line), len(lines))
    return list(csv.DictReader(io.StringIO("\n".join(lines[header:]))))


def test_every_range_of_every_export_agrees_with_the_definition(nsight_export: Path) -> None:
    assert _ours(nsight_export) == _defined(nsight_export)


@pytest.mark.skipif(shutil.which("nsys") is None, reason="no nsys on PATH")
def test_every_range_of_every_export_agrees_with_nsys(nsight_export: Path) -> None:
    assert _ours(nsight_export) == _printed(nsight_export)


CROSSING = 61  # a start/end range that ends on another thread
_moments = st.tuples(st.integers(0, 60), st.integers(1, 30)).map(lambda pair: (pair[0], pair[0] + pair[1]))
_threads = st.sampled_from([(MAIN, 100), (OTHER, 100), (MAIN, 200)])
_ranges = st.tuples(
    _moments,
    _threads,
    st.sampled_from(["a", "b"]),
    st.sampled_from([59, 59, 60, CROSSING]),
    st.sampled_from([0, 1]),
)
_launched = st.tuples(_moments, _moments, _threads, st.sampled_from(["kernel", "copy", "fill", "graph"]))


@given(st.lists(_ranges, min_size=1, max_size=10), st.lists(_launched, min_size=1, max_size=12))
def test_random_exports_agree_with_the_definition(ranges: list, launched: list) -> None:
    export = Export().nvtx(75, 0, None, "tracer", domainId=1)
    for (start, end), (thread, pid), name, kind, domain in ranges:
        ends_elsewhere = global_tid(OTHER, pid) if kind == CROSSING else None
        where = {"globalTid": global_tid(thread, pid), "endGlobalTid": ends_elsewhere}
        export.nvtx(min(kind, 60), start, end, name, domainId=domain, **where)
    for number, ((start, end), (after, until), (thread, pid), kind) in enumerate(launched, start=1):
        # Of ops before their launch, which no clock that is right gives, nsys thinks otherwise.
        op_start, op_end = start + after, start + until
        export.call(start, end, number, thread=thread, pid=pid)
        if kind == "kernel":
            export.kernel("k", op_start, op_end, number, pid=pid)
        else:
            getattr(export, kind)(op_start, op_end, number, pid=pid)
    with tempfile.TemporaryDirectory() as folder:
        path = export.write(Path(folder, "random.sqlite"))
        assert _ours(path) == _defined(path)

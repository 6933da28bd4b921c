"""The reference of nsys's reports prints what nsys prints: every row and every column."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.nsys_reports import gpu_projection, kernel_sums


@pytest.mark.skipif(shutil.which("nsys") is None, reason="no nsys on PATH")
@pytest.mark.parametrize(("report", "rows"), [("nvtx_gpu_proj_sum", gpu_projection), ("nvtx_kern_sum", kernel_sums)])
def test_the_reference_prints_what_nsys_prints(
    report: str, rows: Callable[[Path], list[Any]], nsight_export: Path, tmp_path: Path
) -> None:
    copy = shutil.copy(nsight_export, tmp_path)  # nsys puts files beside it
    command = ["nsys", "stats", "-q", "--format", "csv", "-r", report, copy]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    printed = [tuple(row) for row in csv.reader(output.splitlines()) if row]
    computed = [tuple("" if value is None else str(value) for value in row) for row in rows(nsight_export)]
    assert sorted(printed[1:]) == sorted(computed)

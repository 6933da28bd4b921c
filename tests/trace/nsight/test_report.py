"""Reports (.nsys-rep), which nsys turns into exports: a made-up nsys everywhere, a real one where there is one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from support.nsys_program import REFUSES, install, profiling

from tracer import nsys
from tracer.document.errors import InputError, MissingError
from tracer.trace.columns import Want
from tracer.trace.reader import read_trace


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "run.nsys-rep"
    path.write_bytes(b"NVIDIA Tegra Profiler Report 2023@4@4@54")
    return path


def test_a_report_is_exported_and_read(tmp_path: Path, report: Path, data: Path) -> None:
    program = profiling(tmp_path, data / "nsight_cpu_nvtx.sqlite")
    before = sorted(tmp_path.iterdir())
    for given in (program, tmp_path):
        trace = read_trace(report, Want.SUMMARY, nsys=given)
        assert trace.path == str(report)
        assert len(trace.ranges)
    assert sorted(tmp_path.iterdir()) == before


def test_the_nsys_on_path_is_the_default(
    tmp_path: Path, report: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = profiling(tmp_path, data / "nsight_cpu_nvtx.sqlite")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert nsys.find() == program
    assert nsys.version(program) == (2024, 5, 1)
    assert len(read_trace(report, Want.SUMMARY).ranges)


def test_without_nsys_it_says_what_to_install(report: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(MissingError, match=r"run\.nsys-rep: .*only nsys can read.*install Nsight Systems"):
        read_trace(report, Want.SUMMARY)
    with pytest.raises(MissingError, match="no program nsys there"):
        read_trace(report, Want.SUMMARY, nsys=tmp_path / "elsewhere")


def test_what_nsys_refuses_is_refused_in_its_words(tmp_path: Path, report: Path) -> None:
    with pytest.raises(InputError, match=r"run\.nsys-rep: .*Wrong version of the report"):
        read_trace(report, Want.SUMMARY, nsys=install(tmp_path, REFUSES))
    with pytest.raises(MissingError, match="does not say"):
        nsys.version(tmp_path / "nsys")


def test_a_program_that_does_not_start_is_named(tmp_path: Path, report: Path) -> None:
    program = install(tmp_path, "#!/no/such/interpreter\n")
    with pytest.raises(MissingError, match="cannot be started"):
        read_trace(report, Want.SUMMARY, nsys=program)


@pytest.mark.skipif(shutil.which("nsys") is None, reason="no nsys on PATH")
def test_the_real_nsys_refuses_a_torn_report(report: Path) -> None:
    with pytest.raises(InputError, match="cannot export it"):
        read_trace(report, Want.SUMMARY)


def test_a_raw_recording_says_how_to_make_a_report_of_it(tmp_path: Path) -> None:
    raw = tmp_path / "run.qdstrm"
    raw.write_bytes(b"U3w[END]NVIDIA Nsight Systems Stream")
    with pytest.raises(InputError, match=r"run\.qdstrm: .*QdstrmImporter"):
        read_trace(raw, Want.SUMMARY)

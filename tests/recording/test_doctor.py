"""What the doctor says of machines that lack this or that."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from support.nsys_program import install, profiling
from support.typed import typed

from model.extras import fitting
from tracer.recording import doctor
from tracer.recording.extras import FOR_DEVELOPERS, OPTIONAL
from tracer.recording.requirements import unmet

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def _raise(error: Exception) -> None:
    raise error


def test_a_library_that_is_missing_broken_or_old_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_library("nvtx").status == "ok"
    with monkeypatch.context() as patch:
        patch.setattr(doctor, "import_module", lambda name: _raise(ImportError(f"{name}.so: file too short")))
        check = doctor.check_library("nvtx")
        assert (check.status, "file too short" in check.found) == ("failure", True)
    with monkeypatch.context() as patch:
        patch.setattr(doctor, "version", lambda _: "0.1")
        assert doctor.check_library("nvtx").advice == "pip install 'nvtx>=0.2.11'"
    monkeypatch.setattr(doctor, "version", lambda name: _raise(PackageNotFoundError(name)))
    assert doctor.check_library("nvtx") == doctor.Check("nvtx", "failure", "not installed", "pip install nvtx")


def test_a_library_that_only_some_need_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_optional("torchvision", "processors").status in ("ok", "note", "warning")
    with monkeypatch.context() as patch:
        patch.setattr(doctor, "version", lambda name: _raise(PackageNotFoundError(name)))
        expected = doctor.Check("av", "note", "not installed: video files want it", "pip install '.[video]'")
        assert doctor.check_optional("av", "video files") == expected
    monkeypatch.setattr(doctor, "version", lambda _: "0.21")
    monkeypatch.setattr(doctor, "import_module", lambda _: _raise(RuntimeError("operator torchvision::nms\ndoes not")))
    check = doctor.check_optional("torchvision", "processors")
    assert (check.status, check.advice) == ("warning", fitting())
    assert check.found == "0.21 does not import: operator torchvision::nms does not"


def test_every_extra_of_ours_is_looked_at_or_named() -> None:
    extras = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    assert {one.extra for one in OPTIONAL.values()} | set(FOR_DEVELOPERS) == set(extras)
    for extra in set(extras) - set(FOR_DEVELOPERS):
        brought = {re.split(r"[\[<>=]", requirement)[0] for requirement in extras[extra]}
        assert brought <= set(OPTIONAL), extra
        assert {name for name, one in OPTIONAL.items() if one.extra == extra} <= brought, extra


def test_a_library_is_imported_by_its_modules_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(doctor, "version", lambda _: "12")
    monkeypatch.setattr(doctor, "import_module", asked.append)
    assert doctor.check_optional("nvidia-ml-py", "energies") == doctor.Check("nvidia-ml-py", "ok", "12")
    assert asked == ["pynvml"]


def test_requirements_are_our_own_distributions() -> None:
    assert unmet("torch", "2.13.0+cpu") is None
    assert unmet("torch", "2.5.1") == "torch>=2.6"
    assert unmet("a library that we never heard of", "1") is None


def test_the_profiler_is_tried_here() -> None:
    assert doctor.check_profiler().status == "ok"


@pytest.mark.parametrize(
    ("admin_only", "paranoia", "expected"),
    [("1", "4", ["note", "note"]), ("0", "2", ["ok", "ok"]), ("0", "-1", ["ok", "ok"])],
)
def test_permissions_are_read_from_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, admin_only: str, paranoia: str, expected: list[str]
) -> None:
    (tmp_path / "params").write_text(f"Mobile: 4294967295\nRmProfilingAdminOnly: {admin_only}\n")
    (tmp_path / "paranoid").write_text(f"{paranoia}\n")
    monkeypatch.setattr(doctor, "DRIVER", tmp_path)
    monkeypatch.setattr(doctor, "PERF_PARANOIA", tmp_path / "paranoid")
    assert [check.status for check in doctor.check_permissions()] == expected


def test_a_system_without_these_files_has_nothing_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "DRIVER", tmp_path / "none")
    monkeypatch.setattr(doctor, "PERF_PARANOIA", tmp_path / "none")
    assert list(doctor.check_permissions()) == []


def test_a_driver_without_a_gpu_in_torch_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(doctor, "DRIVER", tmp_path / "none")
    assert doctor.check_gpu().status == "note"
    monkeypatch.setattr(doctor, "DRIVER", tmp_path)
    assert doctor.check_gpu().status == "warning"


def _statuses(checks: Iterator[doctor.Check]) -> list[tuple[str, str]]:
    return [(check.subject, check.status) for check in checks]


def test_an_nsys_that_is_not_there_matters_only_if_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _statuses(doctor.check_nsys()) == [("nsys", "note")]
    assert _statuses(doctor.check_nsys(tmp_path)) == [("nsys", "warning")]


def test_an_nsys_that_records_our_range_is_found_out_by_trying(tmp_path: Path, data: Path) -> None:
    blind = profiling(tmp_path, data / "nsight_cpu_nvtx.sqlite")  # its reports hold no probe
    checks = list(doctor.check_nsys(blind))
    assert [check.status for check in checks] == ["ok", "warning"]
    assert "records no range of nvtx" in checks[1].found
    assert "nvtx==0.2.11" in checks[1].advice


def test_an_nsys_without_an_importer_is_noted(tmp_path: Path, data: Path) -> None:
    collector = profiling(tmp_path, data / "nsight_cpu_nvtx.sqlite", suffix="qdstrm")
    assert _statuses(doctor.check_nsys(collector)) == [("nsys", "ok"), ("nsys and nvtx", "note")]


def test_an_nsys_that_fails_is_quoted(tmp_path: Path) -> None:
    version = 'test "$1" = --version && echo "version 2024.1.1.0" && exit'
    program = install(tmp_path, f'#!/bin/sh\n{version}\necho "no permission" >&2\nexit 1\n')
    assert [check.found for check in doctor.check_nsys(program)][1] == "nsys records nothing: no permission"


def _doctor(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tracer", "doctor"],
        capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "80", **environment},
    )  # fmt: skip


def test_the_command_prints_a_line_for_each_and_exits_with_0() -> None:
    done = typed("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "✔ torch " in done.stdout
    assert all(line == line.rstrip() and len(line) <= 80 for line in done.stdout.splitlines())


def test_the_command_exits_with_1_where_recording_would_fail(tmp_path: Path) -> None:
    (tmp_path / "transformers.py").write_text("raise ImportError('half installed')")
    done = _doctor(PYTHONPATH=f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    assert (done.returncode, done.stderr) == (1, "")
    assert "half installed" in done.stdout

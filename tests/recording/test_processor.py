from __future__ import annotations

import platform
from pathlib import Path

import pytest

from tracer.recording import processor
from tracer.recording.processor import processor_name

X86 = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) Platinum 8480C\n\nprocessor\t: 1\n"
ARM = "processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd4f\n\nCPU part\t: 0xd41\n"


@pytest.fixture
def cpuinfo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(processor, "_LINUX", tmp_path / "cpuinfo")
    return tmp_path / "cpuinfo"


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("x86_64", X86, "Intel(R) Xeon(R) Platinum 8480C"),
        ("aarch64", ARM, "aarch64 0x41/0xd4f"),
        ("riscv64", "processor\t: 0\nisa: rv64\n", "riscv64"),
        ("x86_64", "model name\t: " + "x" * 101, "x86_64"),
    ],
)
def test_linux_knows_the_model(
    cpuinfo: Path, monkeypatch: pytest.MonkeyPatch, kind: str, text: str, expected: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: kind)
    cpuinfo.write_text(text)
    assert processor_name() == expected


def test_without_the_file_the_kind_is_known(cpuinfo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert processor_name() == "x86_64"


def test_elsewhere_a_system_that_does_not_say_leaves_the_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setenv("PATH", "")
    assert processor_name() == "arm64"
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    monkeypatch.setattr(platform, "processor", lambda: "Intel64 Family 6 Model 85, GenuineIntel")
    assert processor_name() == "Intel64 Family 6 Model 85, GenuineIntel"

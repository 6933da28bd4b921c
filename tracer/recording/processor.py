"""Which processor a machine has."""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

_LINUX = Path("/proc/cpuinfo")
_LINES = re.compile(r"^(model name|CPU implementer|CPU part)\s*:\s*(.{1,100}?)\s*$", re.MULTILINE)
MOST_CHARACTERS = 1 << 16


def processor_name() -> str:
    """The model by name, as far as the system knows it; else the kind, such as x86_64."""
    kind = platform.machine()
    if platform.system() == "Linux":
        return _of_linux(kind, _read(_LINUX))
    return (_of_macos() if platform.system() == "Darwin" else platform.processor()) or kind


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(MOST_CHARACTERS)
    except OSError:
        return ""


def _of_linux(kind: str, text: str) -> str:
    """ARM's processors have numbers where others have names."""
    found: dict[str, str] = dict(reversed(_LINES.findall(text)))  # of several cores the first
    if "model name" in found:
        return found["model name"]
    if "CPU part" in found:
        return f"{kind} {found.get('CPU implementer', '')}/{found['CPU part']}"
    return platform.processor() or kind


def _of_macos() -> str:
    command = ["sysctl", "-n", "machdep.cpu.brand_string"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""

"""What a launch costs a host at least, as `tracer calibrate` measured it and kept it for later summaries."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from tracer.peaks.measured import cache_file

if TYPE_CHECKING:
    from pathlib import Path

FILE = "launches.json"


def floor_of(device: str, host: str) -> float | None:
    """Nanoseconds that a host of this processor takes at least to launch on such a device; None if unmeasured."""
    return _read().get(_key(device, host))


def remember_floor(device: str, host: str, launch_ns: float) -> Path:
    """Keep a measurement for later summaries, and return the file it is in."""
    path = cache_file().with_name(FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_suffix(f".{os.getpid()}")
    whole.write_bytes(msgspec.json.encode(_read() | {_key(device, host): launch_ns}))
    whole.replace(path)
    return path


def _key(device: str, host: str) -> str:
    return f"{device} by {host}"


def _read() -> dict[str, float]:
    try:
        found = msgspec.json.decode(cache_file().with_name(FILE).read_bytes(), type=dict[str, float])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}
    return {name: launch_ns for name, launch_ns in found.items() if launch_ns > 0}

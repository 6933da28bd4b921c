"""What `tracer calibrate` measured on this machine, kept for later summaries."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from tracer.peaks.peak import Peak


def cache_file() -> Path:
    """Where `tracer calibrate` keeps what it measured."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tracer" / "peaks.json"


def measured(device: str, dtype: str, threads: int | None = None) -> Peak | None:
    """What `tracer calibrate` measured on this machine for such a device and type; of a CPU, with as many threads."""
    return _read_cache().get(_key(device, dtype, threads))


def remember(device: str, dtype: str, peak: Peak, threads: int | None = None) -> Path:
    """Keep a measurement for later summaries, and return the file it is in."""
    path = cache_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_suffix(f".{os.getpid()}")
    whole.write_bytes(msgspec.json.encode(_read_cache() | {_key(device, dtype, threads): peak}))
    whole.replace(path)
    return path


def _key(device: str, dtype: str, threads: int | None) -> str:
    return f"{device}/{dtype}" if threads is None else f"{device}, {threads} threads/{dtype}"


def _read_cache() -> dict[str, Peak]:
    try:
        return msgspec.json.decode(cache_file().read_bytes(), type=dict[str, Peak])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}

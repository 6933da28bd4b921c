"""Options that several verbs choose for themselves where nobody does."""

from __future__ import annotations

import re

from tracer.cli.options import DTYPES
from tracer.document.errors import MissingError, UsageError

_DEVICE = re.compile(r"cpu|cuda(?::(\d{1,4}))?")


def check_names(device: str | None, dtype: str | None, *, option: str = "--device") -> None:
    """Refuse names that mean nothing, before torch is imported.

    Raises:
        UsageError: one does.
    """
    if device is not None and _DEVICE.fullmatch(device) is None:
        raise UsageError(f"{option} {device}: choose cpu, cuda or cuda:N")
    if dtype is not None and dtype not in DTYPES:
        raise UsageError(f"--dtype {dtype}: choose from {', '.join(DTYPES)}")


def choose_device(name: str | None, *, option: str = "--device") -> str:
    """Look for a device, or choose one. Imports torch.

    Args:
        name: checked (`check_names`), or None.
        option: that it was given by.

    Raises:
        MissingError: there is no such device here.
    """
    import torch

    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    match = _DEVICE.fullmatch(name)
    if match is None or name == "cpu":
        return name
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(match[1] or 0) >= found:
        build = "" if torch.version.cuda or torch.version.hip else " (this torch is a CPU build)"
        raise MissingError(f"{option} {name}: torch sees {found} GPU{'s' * (found != 1)} here{build}; use {option} cpu")
    return name


def choose_dtype(dtype: str | None, *, on_gpu: bool) -> str:
    """Choose a type where nobody did."""
    return dtype or ("bfloat16" if on_gpu else "float32")

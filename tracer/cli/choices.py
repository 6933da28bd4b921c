"""Options that several verbs choose for themselves where nobody does."""

from __future__ import annotations

import re

from tracer.cli.options import DTYPES
from tracer.document.errors import MissingError, UsageError


def choose_device(name: str | None) -> str:
    """Check a device name, or choose one.

    Raises:
        UsageError: it is no device name.
        MissingError: there is no such device here.
    """
    import torch

    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    match = re.fullmatch(r"cpu|cuda(?::(\d{1,4}))?", name)
    if match is None:
        raise UsageError(f"--device {name}: choose cpu, cuda or cuda:N")
    if name == "cpu":
        return name
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(match[1] or 0) >= found:
        build = "" if torch.version.cuda or torch.version.hip else " (this torch is a CPU build)"
        raise MissingError(f"--device {name}: torch sees {found} GPUs here{build}; use --device cpu")
    return name


def choose_dtype(dtype: str | None, *, on_gpu: bool) -> str:
    """Check the name of a type, or choose one.

    Raises:
        UsageError: it is none that is known.
    """
    if dtype is None:
        return "bfloat16" if on_gpu else "float32"
    if dtype not in DTYPES:
        raise UsageError(f"--dtype {dtype}: choose from {', '.join(DTYPES)}")
    return dtype

"""What a recording ran on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from tracer.recording.processor import processor_name


def describe_software() -> dict[str, str]:
    """Versions of Python, torch and what else decides how fast things are."""
    found = {"python": platform.python_version(), "torch": str(torch.__version__)}
    for package in ("transformers", "nvtx"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # somebody's script may do without
            continue
    if torch.version.cuda:
        found["cuda"] = torch.version.cuda
    if torch.version.hip:
        found["hip"] = torch.version.hip
    return found


def describe_device(device: torch.device) -> dict[str, Any]:
    """Type and name of a device, and what else tells it from others."""
    if device.type != "cuda":
        return {
            "type": device.type,
            "name": processor_name(),
            "threads": torch.get_num_threads(),
        }
    properties = torch.cuda.get_device_properties(device)
    return {
        "type": device.type,
        "name": properties.name,
        "host": processor_name(),
        "memory_bytes": properties.total_memory,
        "multiprocessors": properties.multi_processor_count,
        "compute_capability": f"{properties.major}.{properties.minor}",
        "float32_matmul_precision": _precision(),
    }


def _precision() -> str:
    """How float32 matrix products are made: "highest", or "high" or "medium" where their inputs may be rounded."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:  # set in two ways that contradict each other, of which torch refuses to tell
        return "unknown"

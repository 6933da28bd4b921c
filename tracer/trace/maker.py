"""Whose device a trace is of, as far as its calls, or what it says of itself, tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracer.arrays import coded
from tracer.document.makers import AMD, INTEL, META, NVIDIA, OTHER

if TYPE_CHECKING:
    from tracer.trace.columns import Trace

# By how calls of runtimes and drivers are named, and by what devices are called.
_CALLS = (
    (AMD, re.compile(r"hip[A-Z]\w*")),
    (NVIDIA, re.compile(r"(?:__)?(?:cuda|cu)[A-Z]\w*")),
    (INTEL, re.compile(r"(?:ur|pi|piext|ze)[A-Z]\w*")),
    (META, re.compile(r"runFunction - .*", re.DOTALL)),
)
_NAMES = (
    (NVIDIA, re.compile(r"NVIDIA|GeForce|Tesla|Quadro|\b(?:[ABHV][123]00|L40?S?|T4)\b")),
    (AMD, re.compile(r"AMD|Instinct|Radeon|\bgfx\d")),
    (INTEL, re.compile(r"Intel")),
)


def maker_of(trace: Trace) -> str:
    """The maker of a trace's devices; "" where nothing tells."""
    if trace.format == "nsight" or "CUDA" in trace.producer:
        return NVIDIA
    if "HIP" in trace.producer:
        return AMD
    names = [trace.strings[name] for name in coded(trace.calls.name)[0].tolist()]
    for maker, calls in _CALLS:
        if any(calls.fullmatch(name) for name in names):
            return maker
    for maker, devices in _NAMES:
        if any(devices.search(device.name) for device in trace.devices):
            return maker
    return OTHER if names or any(device.name for device in trace.devices) else ""

"""Words that several parts use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracer.document.summary import Summary


def on_cpu(summary: Summary) -> bool:
    """Whether operators were charged, in place of device ops."""
    return summary.device.kind == "cpu"


def kind(summary: Summary) -> str:
    """What the time of the trace is the time of: "operator" or "device"."""
    return "operator" if on_cpu(summary) else "device"

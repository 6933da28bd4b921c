"""Words that several parts use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.units import duration
from tracer.document.summary import Lost

if TYPE_CHECKING:
    from tracer.document.summary import Summary

# Stands for a time of work that was launched and not recorded.
UNKNOWN = "unknown"


def on_cpu(summary: Summary) -> bool:
    """Whether operators were charged, in place of device ops."""
    return summary.device.kind == "cpu"


def kind(summary: Summary) -> str:
    """What the time of the trace is the time of: "operator" or "device"."""
    return "operator" if on_cpu(summary) else "device"


def known(time_ns: int | None) -> str:
    """A time, or that it is unknown."""
    return UNKNOWN if time_ns is None else duration(time_ns)


def lost_of(summary: Summary) -> Lost | None:
    """What was launched and not recorded; None where nothing was."""
    return summary.lost if isinstance(summary.lost, Lost) else None

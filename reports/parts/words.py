"""Words that several parts use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.palette import NONE
from reports.units import duration, share
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


def share_of_all(time_ns: int, summary: Summary) -> str:
    """The share that a time has of all work; none of a whole that is not known."""
    return NONE if lost_of(summary) is not None else share(time_ns, summary.device.time_ns)


def all_time(summary: Summary) -> str:
    """What such a share is of."""
    if lost_of(summary) is not None:
        return f"No shares: all {kind(summary)} time is unknown."
    return f"share: of all {kind(summary)} time."

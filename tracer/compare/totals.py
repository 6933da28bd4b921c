"""Whole traces beside each other, where there are no stages to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.comparison import Total
from tracer.document.summary import Lost

if TYPE_CHECKING:
    from tracer.document.summary import Summary


def compare_totals(before: Summary, after: Summary) -> list[Total]:
    """Ops and device times of both, where one of them has no stages."""
    if before.stages and after.stages:
        return []
    first, second = _totals(before), _totals(after)
    return [_total(name, first.get(name), second.get(name)) for name in dict.fromkeys([*first, *second])]


def _totals(summary: Summary) -> dict[str, int | None]:
    device = summary.device
    if isinstance(summary.lost, Lost):  # of more work than was recorded
        return dict.fromkeys(("ops", "device time", "busy", "idle"))
    if device.kind != "gpu":
        return {"ops": device.ops, "operator time": device.time_ns}
    return {"ops": device.ops, "device time": device.time_ns, "busy": device.busy_ns, "idle": device.idle_ns}


def _total(name: str, before: int | None, after: int | None) -> Total:
    known = before is not None and after is not None and before > 0
    return Total(of=name, before=before, after=after, ratio=(after or 0) / before if known and before else None)

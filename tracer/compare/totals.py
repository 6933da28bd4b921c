"""Whole traces beside each other, where they have no stages to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.comparison import Total
from tracer.document.summary import Lost

if TYPE_CHECKING:
    from tracer.document.summary import Summary


def compare_totals(before: Summary, after: Summary) -> list[Total]:
    """Ops and device times of both, where no stage is in both.

    What devices ran has other names than what a CPU did: the one is no multiple of the other.
    """
    if share_stages(before, after):
        return []
    mixed = before.device.kind != after.device.kind
    first, second = _totals(before, mixed=mixed), _totals(after, mixed=mixed)
    return [_total(name, first.get(name), second.get(name)) for name in dict.fromkeys([*first, *second])]


def share_stages(before: Summary, after: Summary) -> bool:
    """Whether a stage is in both."""
    return not {stage.stage for stage in before.stages}.isdisjoint(stage.stage for stage in after.stages)


def _totals(summary: Summary, *, mixed: bool) -> dict[str, int | None]:
    device = summary.device
    if isinstance(summary.lost, Lost):  # of more work than was recorded
        return dict.fromkeys(("ops", "device time", "busy", "idle"))
    if device.kind != "gpu":
        return {"operators" if mixed else "ops": device.ops, "operator time": device.time_ns}
    return {"ops": device.ops, "device time": device.time_ns, "busy": device.busy_ns, "idle": device.idle_ns}


def _total(name: str, before: int | None, after: int | None) -> Total:
    known = before is not None and after is not None and before > 0
    return Total(of=name, before=before, after=after, ratio=(after or 0) / before if known and before else None)

"""Each device for itself, where several worked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Sentence, Table, block, note
from reports.palette import NONE
from reports.parts.words import known
from reports.units import counted, share

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Summary


TOP = 64


def part(summary: Summary, asked: Asked) -> Block | None:
    """A row a device, those of most device time where there are many; figures above are sums over all."""
    found = summary.device.each
    if len(found) < 2:
        return None
    names = {device.id: device.name for device in summary.trace.devices}
    columns = [
        Column("device", right=False),
        *([Column("name", right=False, named=True)] if any(names.values()) else []),
        Column("ops", rank=2),
        Column("device time"),
        Column("busy"),
        Column("idle"),
        Column("share", rank=1),
    ]
    top = max(asked.top or 0, TOP)
    shown = found
    if len(found) > top:
        most = sorted(found, key=lambda one: (-one.time_ns, one.id))[:top]
        shown = sorted(most, key=lambda one: one.id)
    rows = []
    for one in shown:
        name = [names.get(one.id, "")] if any(names.values()) else []
        times = [known(time_ns) for time_ns in (one.time_ns, one.busy_ns, one.idle_ns)]
        part = NONE if one.idle_ns is None else share(one.idle_ns, one.busy_ns + one.idle_ns)
        rows.append(Row([f"{one.id}", *name, f"{one.ops:,}", *times, part]))
    says = note(
        "busy, idle: in its own window, from its first op to its last; added up elsewhere in this report.",
        Sentence("share", "share: idle of that window."),
        f"{counted(len(found) - top, 'more device')}: --top {len(found)}." if len(found) > top else "",
    )
    return block("devices", Table(columns, rows), says)

"""Several models at once: what each takes beside the others and alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Line, Row, Sentence, Table, block, line, note
from reports.palette import NONE
from reports.units import counted, duration, share

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Joint, JointRole, Summary

WHY = {
    "host": "the host: its next op was not asked for",
    "device": "the device: its kernels took longer, or waited",
    "sync": "waits for the device",
}


def part(summary: Summary, _: Asked) -> Block | None:
    """How much ran at once, and a row a model."""
    found = summary.joint
    if found is None:
        return None
    window_ns = found.busy_ns + found.idle_ns
    head = (
        f"{duration(found.busy_ns)} in which any ran, {duration(found.both_ns)} in which several did "
        f"({share(found.both_ns, found.busy_ns)}); idle {duration(found.idle_ns)} of {duration(window_ns)}"
    )
    columns = [
        Column("model", right=False, named=True),
        Column("ops", rank=3),
        Column("device", rank=1),
        Column("takes"),
        Column("alone"),
        Column("slower"),
        Column("host", rank=2),
        Column("lost by", right=False, wraps=True),
    ]
    alone = any(role.alone is not None for role in found.roles)
    shares = "all are threads of one process: in Python they share one interpreter" if found.one_process else None
    return block(
        "models at once",
        line(head, role="strong"),
        Table(columns, [_row(role) for role in found.roles], ruled=True),
        line(shares, role="caution") if shares else None,
        *_early(found),
        note(
            "takes: from its first op to its last, as if it were the only one.",
            Sentence("host", "host: of that, its next op was not asked for."),
            "alone: the same in the trace of it alone; lost by: what explains more than half of the difference."
            if alone
            else "Give each one's own trace for comparison: --solo MODEL=TRACE.",
        ),
    )


def _early(found: Joint) -> list[Line]:
    """What was made while another model processed its prompts."""
    return [
        line(f"{role.role} made {made:,} of its {counted(role.tokens, 'token')} while {other} processed its prompts")
        for role in found.roles
        for other, made in role.beside_prefill.items()
        if role.tokens is not None
    ]


def _row(role: JointRole) -> Row:
    return Row(
        [
            role.role,
            f"{role.ops:,}",
            duration(role.device_time_ns),
            duration(role.wall_ns),
            NONE if role.alone is None else duration(role.alone.wall_ns),
            NONE if role.slowdown is None else f"{role.slowdown:.2f} x",
            duration(role.idle.host_ns),
            NONE if role.cause is None else WHY[role.cause],
        ]
    )

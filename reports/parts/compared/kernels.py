"""Kernels that one run has and the other has not, or that take longer in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block, line, note
from reports.palette import NONE
from reports.parts.compared.words import count, signed
from reports.units import counted, duration, short_kernels

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.comparison import Comparison, KernelChange, Pair

TOP = 12
CHANGES = ("appeared", "vanished", "slower", "faster")
# Of whole traces, which hold as much as each happened to record.
TESTED, UNTESTED = ("slower", "faster"), "not tested"
OFTEN = ("more often", "less often")


def part(_: Comparison, pair: Pair, asked: Asked) -> Block | None:
    """The largest changes first."""
    title = f"{'operators' if pair.work == 'operators' else 'kernels'}, {pair.other} against {pair.baseline}"
    if not pair.kernels:
        kind = "operator" if pair.work == "operators" else "kernel"
        alike = counted(pair.same_kernels, f"{kind} takes", f"{kind}s take")
        said = line(f"{alike} the same time.", role="strong")
        return block(title, said if pair.same_kernels else None)
    columns = [
        Column("", right=False),
        Column("change", right=False, rank=2),
        Column("operator" if pair.work == "operators" else "kernel", right=False, named=True),
        Column(pair.baseline, rank=1),
        Column(pair.other, rank=1),
        Column("delta"),
    ]
    changes: tuple[str, ...] = (*CHANGES, *OFTEN) if pair.totals else CHANGES
    if any(one.change == UNTESTED for one in pair.kernels):
        changes = (*(one for one in changes if one not in TESTED), UNTESTED)
    counts = [f"{sum(one.change == change for one in pair.kernels):,} {change}" for change in changes]
    top = asked.top or TOP
    more = len(pair.kernels) - top
    says = note(
        f"{', '.join(counts)}, {pair.same_kernels:,} alike.",
        "Times (and how often) in the whole trace; slower, faster: of one call, on average; nothing is tested."
        if pair.totals
        else "Times (and how often) in one run of the stage, of decode one step; from the profiled pass, where nothing "
        "is tested.",
        "Not tested: operators run on the host, whose time drifts from recording to recording; with --tolerance they "
        "are called slower or faster."
        if UNTESTED in changes
        else "",
        f"{more:,} more: --top {len(pair.kernels)}." if more > 0 else "",
    )
    shown = pair.kernels[:top]
    shorter = short_kernels(change.name for change in shown)
    rows = [_row(change, shorter[change.name]) for change in shown]
    others = [line(_relaunched(change, shorter[change.name])) for change in shown if change.relaunched]
    return block(title, Table(columns, rows), *others, says)


def _relaunched(change: KernelChange, name: str) -> str:
    """What may be why a kernel takes another time."""
    of = f" of {change.stage}" if change.stage else ""
    return f"{name}{of} was launched otherwise: {', '.join(change.relaunched)}"


def _row(change: KernelChange, name: str) -> Row:
    sides = [
        NONE if use is None else f"{duration(use.time_ns)} ({count(use.count)})"
        for use in (change.before, change.after)
    ]
    return Row([change.stage, change.change, name, *sides, signed(change.delta_ns)])

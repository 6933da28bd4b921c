"""The host's time by layer: of the stages whose device waits for it, and by name where that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Element, Note, Role, Row, Table, block, note
from reports.palette import NONE
from reports.units import counted, duration, share
from tracer.document.summary import MACHINE, HostTime

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import HostRow, Stage, StageLaunches, Summary

TOP = 12
# Of the layers where operators and Python are not told apart.
UNTOLD = "untold"
HELD = "held up"
CLEAN = "unprofiled"


def part(summary: Summary, asked: Asked) -> Block | None:
    """A row for each stage whose device waits for the host more than half of its time, and one without the profiler."""
    shown = [stage for stage in summary.stages if asked.shows(stage.stage) and waits_for_host(stage)]
    return block("where the host's time goes", *_layers(shown), _launching(summary, asked)) if shown else None


def _launching(summary: Summary, asked: Asked) -> Note | None:
    """How fast stages launch, and whether the code or the machine is why they are no faster."""
    known = summary.launching
    rows = [] if known is None else [row for row in known.stages if asked.shows(row.stage)]
    if known is None or not rows:
        return None
    said = [_rate(row, known.floor_ns) for row in rows]
    if known.floor_ns is not None:
        return note(*said, f"At least: {duration(known.floor_ns)}, by kernels that do nothing (tracer calibrate).")
    where = f" on {known.host}" if known.host else ""
    how = (
        "tracer calibrate there measures it, and whoever summarises there knows it"
        if known.host
        else ("record anew: this recording does not say on which host it was made")
    )
    return note(
        *said, f"Whether the code is slow or the machine: unknown, as is what a launch takes at least{where}; {how}."
    )


def _rate(row: StageLaunches, floor_ns: float | None) -> str:
    each = f"{row.stage} launches {1e9 / row.each_ns:,.0f} times a second, {duration(row.each_ns)} each"
    if floor_ns is None or row.slow is None:
        return f"{each}{'' if row.clean else ', profiler and all'}."
    if row.slow == MACHINE:
        return f"{each}: near the least that this host takes, so that only fewer launches help."
    return (
        f"{each}, {row.each_ns / floor_ns:.0f} times the least that this host takes: the code is slow, not the machine."
    )


def by_name(summary: Summary, asked: Asked) -> Block | None:
    """The layers of all stages, and what is in them: a row a name, under its stage."""
    found = summary.breakdown
    if found is None or found.by != "host":
        return None
    shown = [row for row in found.host if asked.shows(row.stage)]
    rows = _named(shown, asked)
    stages = [stage for stage in summary.stages if asked.shows(stage.stage)]
    counts = [sum(row.stage == stage.stage for row in shown) for stage in stages]
    more = sum(max(0, count - (asked.top or TOP)) for count in counts)
    columns = [
        Column("stage", right=False),
        Column("layer", right=False),
        Column("name", right=False, named=True),
        Column("count", rank=1),
        Column("host"),
        Column("share"),
    ]
    says = note(
        found.meaning,
        "share: of the stage's time on the host.",
        f"{counted(more, 'more row')}: --top {max(counts)}." if more else "",
    )
    return block("", *_layers(stages), Table(columns, rows), says)


def waits_for_host(stage: Stage) -> bool:
    """Whether its device has nothing asked for most of the time, and the host's layers are known."""
    if not isinstance(stage.host, HostTime) or stage.idle is None or stage.busy_ns is None:
        return False
    return 2 * stage.idle.host_ns > stage.busy_ns + stage.idle.total_ns


def _layers(stages: list[Stage]) -> tuple[Element, ...]:
    told = [(stage, stage.host) for stage in stages if isinstance(stage.host, HostTime)]
    if not told:
        return ()
    columns = [
        Column("stage", right=False),
        Column("host", rank=1),
        *map(Column, ("launching", "copying", "waiting", "operators", "Python")),
    ]
    known = {UNTOLD: any(host.untold_ns for _, host in told), HELD: any(host.blocked_ns for _, host in told)}
    shown = [name for name, any_of_it in known.items() if any_of_it]
    columns += map(Column, shown)
    rows = []
    for stage, host in told:
        rows.append(Row(_cells(stage.stage, host, 1.0, shown)))
        if host.slowed is not None:
            dim: Role = "dim"
            rows.append(Row(_cells(f"  {CLEAN}", host, host.slowed, shown), dim))
    return Table(columns, rows), _reading([host for _, host in told])


def _cells(name: str, host: HostTime, slowed: float, more: list[str]) -> list[str]:
    known = [host.total_ns, host.launch_ns, host.copy_ns, host.sync_ns, host.dispatch_ns, host.python_ns]
    known += [{UNTOLD: host.untold_ns, HELD: host.blocked_ns}[column] for column in more]
    return [name, *(NONE if not time_ns else duration(time_ns / slowed) for time_ns in known)]


def _reading(hosts: list[HostTime]) -> Note:
    scaled = [host for host in hosts if host.slowed is not None]
    return note(
        "The launching thread's time in the ranges, divided without remainder. launching, copying, waiting: in calls "
        "into the device's runtime; operators: in them, outside such calls; Python: the rest.",
        "untold: operators and Python together, as the file has no operators of the thread."
        if any(host.untold_ns for host in hosts)
        else "",
        f"{HELD}: asleep, waiting for another thread, or off the processor, as far as the file tells it."
        if any(host.blocked_ns for host in hosts)
        else "",
        f"{CLEAN}: the same divided by how much slower the stage was under the profiler: about what is left without it."
        if scaled
        else "The profiler's own cost is in these, mostly in operators and Python; no pass without it says how much.",
    )


def _named(shown: list[HostRow], asked: Asked) -> list[Row]:
    whole: dict[str, int] = {}
    for row in shown:
        whole[row.stage] = whole.get(row.stage, 0) + row.time_ns
    order = {stage: place for place, stage in enumerate(whole)}
    rows, seen = [], dict.fromkeys(whole, 0)
    for row in sorted(shown, key=lambda row: (order[row.stage], *asked.key(row.name, row.count, row.time_ns))):
        seen[row.stage] += 1
        if seen[row.stage] > (asked.top or TOP):
            continue
        stage = row.stage if seen[row.stage] == 1 else ""
        count = f"{row.count:,}" if row.count else ""
        part_of = share(row.time_ns, whole[row.stage])
        rows.append(Row([stage, row.layer, row.name or NONE, count, duration(row.time_ns), part_of]))
    return rows

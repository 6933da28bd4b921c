"""What is drawn of ranks: bars of each stage's ranks, who was last in each run, and bandwidth by size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.page.bars import bar_chart, bar_rect, bar_row
from reports.parts.ranks.stages import MANY, telling
from reports.parts.ranks.stragglers import OUTSIDE, UNKNOWN
from reports.render.html import escape
from reports.units import byte_count, counted, duration, share, significant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeAlias

    from tracer.document.ranks import Bandwidth, Ranks, RankStage, Step

    # What a row is made of: kind and length.
    Parts: TypeAlias = Sequence[tuple[str, int]]

# A phone's screen shows so many runs beside each other, a wide one has dots for some more.
MOST_STEPS = 300
# Of a row; a column alone must not look like a length.
WIDEST = 0.04
WAITING = (
    "The device's time of each rank, added up over the runs of the stage. own: without collectives. wait: in "
    "collectives, until the last rank arrived. transfer: after that. Each stage has a scale of its own."
)
EXPOSED = (
    "The time of collectives on each rank. exposed: while nothing else ran on its device. hidden: under other work. "
    "Each stage has a scale of its own."
)
LAST = (
    "One column a run of the stage, from left to right as they ran. A bar stands at the rank that the others waited "
    "for most, as high as it was late; none where nobody was later than the clocks can tell."
)
BANDWIDTH = (
    "bus bandwidth as nccl-tests counts it, of the median transfer, which is without waiting; where the link's peak in "
    "one direction is known, a whole bar is that."
)


def waiting_bars(ranks: Ranks) -> str:
    """Of each stage a row a rank: its own work, waiting and transfer; "" of nothing."""
    legend = _legend("own", "wait", "transfer", *(["unmatched"] if _any(ranks, lambda row: row.unmatched_ns) else []))
    return _of_stages(ranks, "on the device", legend, WAITING, _waiting)


def exposed_bars(ranks: Ranks) -> str:
    """Of each stage a row a rank: collectives that other work hides, and those that nothing does."""
    return _of_stages(ranks, "in collectives", _legend("exposed", "hidden"), EXPOSED, _exposed)


def _waiting(row: RankStage) -> tuple[Parts, str]:
    wait_ns, transfer_ns = row.wait_ns or 0, row.transfer_ns or 0
    parts = [
        ("own", row.own_ns or 0),
        ("wait", wait_ns),
        ("transfer", transfer_ns),
        ("unmatched", row.unmatched_ns or 0),
    ]
    return parts, UNKNOWN if row.lost else f"wait {duration(wait_ns)} · transfer {duration(transfer_ns)}"


def _exposed(row: RankStage) -> tuple[Parts, str]:
    all_ns, exposed_ns = row.collective_ns or 0, row.exposed_ns or 0
    more = f"{share(exposed_ns, all_ns)} exposed" if all_ns else UNKNOWN if row.lost else ""
    return [("exposed", exposed_ns), ("hidden", all_ns - exposed_ns)], more


def _any(ranks: Ranks, wanted: Callable[[RankStage], int | None]) -> bool:
    return any(wanted(row) for rank in ranks.ranks for row in rank.stages)


def _legend(*kinds: str) -> str:
    return f'<p class="legend">{"".join(f"""<span class="key part-{kind}">{kind}</span>""" for kind in kinds)}</p>'


def _of_stages(
    ranks: Ranks, of: str, legend: str, meaning: str, parts_of: Callable[[RankStage], tuple[Parts, str]]
) -> str:
    drawn = ""
    for stage in dict.fromkeys(row.stage for rank in ranks.ranks for row in rank.stages):
        own = {rank.rank: row for rank in ranks.ranks for row in rank.stages if row.stage == stage}
        shown = telling(own) if len(own) > MANY else list(own)
        made = {rank: parts_of(own[rank]) for rank in shown}
        longest = max(sum(time_ns for _, time_ns in parts) for parts, _ in made.values())
        if longest:
            rows = [_row(f"rank {rank}", parts, longest, more) for rank, (parts, more) in made.items()]
            left_out = f" {counted(len(own) - len(shown), 'more rank')} not drawn: those are that tell."
            said = meaning + (left_out if len(own) > len(shown) else "")
            drawn += bar_chart(f"{stage or OUTSIDE}, {of}", rows, legend, said)
    return drawn


def _row(label: str, parts: Parts, longest: int, more: str) -> str:
    pieces, place = [], 0
    for kind, time_ns in parts:
        if time_ns > 0:
            pieces.append(bar_rect(place, time_ns, longest, f"part-{kind}", f"{kind} {duration(time_ns)}"))
            place += time_ns
    return bar_row(label, "", "".join(pieces), duration(place), more)


def step_bars(ranks: Ranks) -> str:
    """Of each stage a row a rank that was last, over its runs; "" where nobody was."""
    drawn = ""
    for stage in dict.fromkeys(step.stage for step in ranks.steps):
        own = [step for step in ranks.steps if step.stage == stage]
        late: dict[int, int] = {}
        for step in own:
            if step.critical_rank is not None:
                late[step.critical_rank] = late.get(step.critical_rank, 0) + step.late_ns
        most = max((step.late_ns for step in own), default=0)
        if not most:
            continue
        shown = sorted(sorted(late, key=lambda rank: -late[rank])[:MANY])
        rows = [_last(rank, own, most, late[rank]) for rank in shown]
        drawn += bar_chart(f"{stage or OUTSIDE}: who is last in which run", rows, "", "".join(_reading(own, late)))
    return drawn


def _reading(own: Sequence[Step], late: dict[int, int]) -> Iterator[str]:
    yield LAST
    if len(own) > MOST_STEPS:
        yield f" A column stands for several of {len(own):,} runs, and for the latest of each rank in them."
    if len(late) > MANY:
        yield f" The {MANY} ranks of {len(late):,} that are late by the most are drawn."


def _last(rank: int, own: Sequence[Step], most: int, late_ns: int) -> str:
    columns = min(len(own), MOST_STEPS)
    worst: dict[int, Step] = {}
    for place, step in enumerate(own):
        column = place * columns // len(own)
        if step.critical_rank == rank and (column not in worst or worst[column].late_ns < step.late_ns):
            worst[column] = step
    pieces = [_column(column, columns, step, most) for column, step in worst.items()]
    count = sum(step.critical_rank == rank for step in own)
    return bar_row(f"rank {rank}", "", "".join(pieces), duration(late_ns), f"in all, in {count:,} of {len(own):,}")


def _column(column: int, columns: int, step: Step, most: int) -> str:
    high = max(1.0, 22 * step.late_ns / most)
    which = f"#{step.index}" if step.index >= 0 else f"column {column + 1}"
    asked = f" of request {step.request}" if step.request >= 0 else ""
    title = (
        f"{step.stage or OUTSIDE} {which}{asked}: late by {duration(step.late_ns)}, all waited {duration(step.wait_ns)}"
    )
    wide = min(0.9 / columns, WIDEST)
    return (
        f'<rect class="part-late" x="{column / columns:.3%}" width="{wide:.3%}" y="{23 - high:.1f}" '
        f'height="{high:.1f}"><title>{escape(title)}</title></rect>'
    )


def bandwidth_bars(ranks: Ranks) -> str:
    """Of each kind of collective a row a size; "" where no size is known."""
    drawn = ""
    for kind in dict.fromkeys((one.collective, one.group_size) for one in ranks.bandwidth):
        own = [one for one in ranks.bandwidth if (one.collective, one.group_size) == kind]
        whole = max(max(one.bus_gbs, one.peak_gbs or 0.0) for one in own)
        if whole > 0:
            rows = [_bandwidth(one, whole) for one in own]
            drawn += bar_chart(f"{kind[0]} over {counted(kind[1], 'rank')}: bus bandwidth", rows, "", BANDWIDTH)
    return drawn


def _bandwidth(one: Bandwidth, whole: float) -> str:
    value = f"{significant(one.bus_gbs)} GB/s"
    of = "" if one.peak_gbs is None else f"{share(one.bus_gbs, one.peak_gbs)} of the link · "
    more = f"{of}{counted(one.count, 'time')}"
    return bar_row(byte_count(one.bytes), "", bar_rect(0, one.bus_gbs, whole, "part-transfer", value), value, more)

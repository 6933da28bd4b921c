"""A prediction: now and then, stage by stage, and what it assumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Element, Line, Row, Table, block, line
from reports.palette import NONE
from reports.units import counted, duration

if TYPE_CHECKING:
    from tracer.document.summary import Prediction, PricedSpeculation, StagePrediction


def part(found: Prediction) -> Block | None:
    """A row a stage, the assumptions below."""
    measured = ("measured", "off by") if found.measured_ns is not None else ()
    columns = [Column(found.of, right=False), *map(Column, ("now", "then", "change", *measured))]
    sides = [(_name(row), row.now_ns, row.then_ns, row.measured_ns) for row in found.stages]
    rows = [
        Row([name, *_times(now_ns, then_ns), *_beside(then_ns, taken, measured)])
        for name, now_ns, then_ns, taken in sides
    ]
    whole = [*_times(found.now_ns, found.then_ns), *_beside(found.then_ns, found.measured_ns, measured)]
    rows.append(Row(["in all", *whole], "strong"))
    source = "without a profiler" if found.source == "clean" else "in the trace"
    apart = found.now_ns != sum(row.now_ns for row in found.stages)
    medians = "in all: the median request, to which medians of stages do not add up"
    return block(
        "",
        Table(columns, rows),
        *_priced(found.speculation),
        line(medians, role="dim") if apart else None,
        line(f"predicted, not measured; now: as measured {source}. It assumes:", role="dim"),
        *[line(f"• {assumption}") for assumption in found.assumptions],
    )


def _name(row: StagePrediction) -> str:
    return f"{row.stage} of the {row.role}" if row.role else row.stage


def _priced(found: PricedSpeculation | None) -> list[Element]:
    """What each part of a round takes and where that is from, and rounds of other lengths."""
    if found is None:
        return []
    columns = [Column("a round", right=False), Column("takes"), Column("known from", right=False, wraps=True)]
    parts = [
        (f"drafting {counted(found.drafted, 'token')}", found.drafted * found.draft_token_ns, found.draft_source),
        ("mapping them", found.drafted * found.map_token_ns, found.map_source),
        (f"checking {found.drafted + 1:,} in one pass", found.verify_ns, found.verify_source),
    ]
    rows = [Row([what, duration(time_ns) if time_ns else NONE, source]) for what, time_ns, source in parts]
    rows.append(Row(["in all", duration(found.round_ns), f"{found.tokens:.2f} tokens on average"], "strong"))
    if found.step_ns is not None:
        rows.append(Row(["the target's own step", duration(found.step_ns), found.step_source]))
    return [Table(columns, rows), _verdict(found), _lengths(found)]


def _verdict(found: PricedSpeculation) -> Line:
    if found.speedup is None:
        return line(f"whether it pays is unknown: {found.step_source}", role="caution")
    even = found.break_even_acceptance
    if found.measured_speedup is not None:
        return line(
            f"decoding is predicted to be {found.speedup:.2f} x as fast as the target alone, and was "
            f"{found.measured_speedup:.2f} x, with {found.measured_tokens or 0.0:.2f} tokens a round",
            role="good" if found.measured_speedup > 1 else "caution",
        )
    said = [
        f"decoding is {found.speedup:.2f} x as fast as the target alone",
        "no acceptance makes up for it" if even is None else f"breaks even at an acceptance of {even:.0%}",
        f"best: {counted(found.best_drafted, 'token')} a round" if found.best_drafted else "best: no draft at all",
    ]
    return line(" · ".join(said), role="good" if found.speedup > 1 else "caution")


def _lengths(found: PricedSpeculation) -> Table:
    """The lengths around the one that was asked for, and the best."""
    shown = {1, 2, 4, 8, 16, found.drafted, found.best_drafted}
    rows = [
        Row(
            [
                f"{one.drafted:,}",
                duration(one.verify_ns),
                duration(one.round_ns),
                f"{one.tokens:.2f}",
                NONE if one.speedup is None else f"{one.speedup:.2f} x",
            ],
            "strong" if one.drafted == found.drafted else "",
        )
        for one in found.by_drafted
        if one.drafted in shown
    ]
    return Table([*map(Column, ("drafted", "checking", "a round", "tokens", "speed-up"))], rows)


def _times(now_ns: int, then_ns: int) -> list[str]:
    return [duration(now_ns), duration(then_ns), _change(now_ns, then_ns) if then_ns != now_ns else NONE]


def _beside(then_ns: int, measured_ns: int | None, measured: tuple[str, ...]) -> list[str]:
    """What was measured, and how far off the prediction is; of what was not measured nothing."""
    if measured_ns is None:
        return [NONE for _ in measured]
    return [duration(measured_ns), _change(measured_ns, then_ns)]


def _change(from_ns: int, to_ns: int) -> str:
    return f"{(to_ns - from_ns) / from_ns:+.1%}" if from_ns else NONE

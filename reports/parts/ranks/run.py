"""Which run it is, which ranks there are, and how well their clocks agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Caution, Line, Piece, block, line
from reports.units import counted, duration

if TYPE_CHECKING:
    from tracer.document.ranks import Ranks

SHOWN = 8


def part(ranks: Ranks) -> Block | None:
    """Who was late comes first, then what it rests on."""
    there = counted(len(ranks.ranks), "rank")
    world = f"{there} of a run of {ranks.world_size:,}"
    devices = sorted({one.device for one in ranks.ranks if one.device})
    head = line(Piece(world, "strong"), *[part for name in devices for part in (" · ", Piece(name, named=True))])
    matched = line(
        f"{ranks.matched:,} of {counted(ranks.collectives, 'collective')} of a rank matched · {_clock(ranks)}"
    )
    return block("", head, matched, _missing(ranks))


def _clock(ranks: Ranks) -> str:
    if ranks.clock_residual_ns is None:
        return "clocks were not compared"
    how = {"shared": "one clock", "estimated": "clocks aligned by the ends of collectives"}.get(ranks.clock, "clocks")
    return f"{how}, residual {duration(ranks.clock_residual_ns)}"


def _missing(ranks: Ranks) -> Caution | None:
    if not ranks.missing:
        return None
    more = f" and {len(ranks.missing) - SHOWN:,} more" if len(ranks.missing) > SHOWN else ""
    return Caution(f"no trace of rank {', '.join(map(str, ranks.missing[:SHOWN]))}{more}")


def requests(ranks: Ranks) -> Block | None:
    """What each request takes, and would without waiting."""
    if not ranks.matched:
        return None
    lines: list[Line] = []
    for one in ranks.requests[:SHOWN]:
        name = f"request {one.request}" if one.request >= 0 else "all"
        if one.time_ns:
            took = f"{name}: {duration(one.time_ns)} in the traces; the slowest rank without its waiting"
            lines.append(line(f"{took} {duration(one.without_waiting_ns)}", role="dim"))
    return block("", *lines, close=True)

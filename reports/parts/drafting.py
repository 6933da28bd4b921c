"""Two models recorded together: each way of working beside the target alone, without a profiler, and where it pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Element, Line, Row, Table, block, line, note
from reports.palette import NONE
from reports.units import counted, duration

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Drafting, Summary, SweepRow, WayRow


# A sweep is a table that somebody reads; a manifest may say anything.
MOST_COLUMNS, MOST_ROWS, MOST_SHARES = 12, 32, 8


def part(summary: Summary, _: Asked) -> Block | None:
    """Who drafts and how, a row for each way of working, and a row for each point of the sweep."""
    found = summary.drafting
    if found is None:
        return None
    return block("target and draft, without a profiler", *_about(found), _ways(found), *_sweep(found), _reading(found))


def _about(found: Drafting) -> list[Line]:
    named = " ".join(part for part in (found.draft, found.size) if part)
    lines = [
        line(
            f"{named} on {found.device} drafts {counted(found.drafted, 'token')} a round, {found.schedule}; "
            f"vocabularies: {found.mapping}",
            role="strong",
        )
    ]
    if found.acceptance:
        lines.append(
            line(
                f"acceptance forced to {shares(found.acceptance)} (seed {found.seed}): what the rounds cost is "
                "measured, how many tokens they yield is asked for",
                role="caution",
            )
        )
    elif found.weights == "random":
        lines.append(
            line("random weights: acceptance means nothing; tracer record --acceptance asks for one", role="caution")
        )
    return lines


def shares(acceptance: list[float]) -> str:
    """An acceptance, by position; "" of the draft's own."""
    more = ["..."] if len(acceptance) > MOST_SHARES else []
    return ", ".join([*(f"{one:.0%}" for one in acceptance[:MOST_SHARES]), *more])


def _ways(found: Drafting) -> Table:
    columns = [
        Column("", right=False),
        Column("vision", rank=5),
        Column("prefill", rank=4),
        Column("TTFT", rank=2),
        Column("decoding"),
        Column("from", rank=6),
        Column("to", rank=7),
        Column("request", rank=1),
        Column("accepted", rank=3),
        Column("gain"),
    ]
    rows = [Row(_way(one), "strong" if one.way == found.schedule else "") for one in found.ways]
    return Table(columns, rows, ruled=True)


def _way(one: WayRow) -> list[str]:
    return [
        one.way,
        duration(one.vision_ns),
        duration(one.prefill_ns),
        duration(one.ttft_ns),
        duration(one.decoding_ns),
        NONE if one.decoding_low_ns is None else duration(one.decoding_low_ns),
        NONE if one.decoding_high_ns is None else duration(one.decoding_high_ns),
        duration(one.request_ns),
        _accepted(one),
        _gain(one),
    ]


def _accepted(one: WayRow) -> str:
    return NONE if one.accepted is None or not one.drafted else f"{one.accepted / one.drafted:.0%}"


def _gain(one: WayRow) -> str:
    return NONE if one.request_speedup is None else f"{one.request_speedup:.2f} x"


def _sweep(found: Drafting) -> list[Element]:
    """A row for each number of drafted tokens, a column for each acceptance: the gain, and where that is the most."""
    if not found.sweep:
        return []
    counts = sorted({one.drafted for one in found.sweep})
    asked = sorted({tuple(one.acceptance) for one in found.sweep})
    cells = {(one.drafted, tuple(one.acceptance)): one for one in found.sweep}
    shown = asked[:MOST_COLUMNS]
    columns = [Column("k", right=False), *[Column(shares(list(one)) or "own") for one in shown]]
    rows = [Row([str(count), *[_cell(cells.get((count, one))) for one in shown]]) for count in counts[:MOST_ROWS]]
    best = max(found.sweep, key=lambda one: one.measured.decoding_speedup or 0)
    gain = best.measured.decoding_speedup
    return [
        line("decoding against the target alone, by tokens drafted a round and acceptance:"),
        Table(columns, rows, ruled=True),
        *_left_out(len(counts) - MOST_ROWS, len(asked) - MOST_COLUMNS),
        *([line(_best(best, gain), role="good" if gain > 1 else "caution")] if gain else []),
    ]


def _left_out(rows: int, columns: int) -> list[Element]:
    """What the table does not show."""
    more = [f"{rows:,} more k"] if rows > 0 else []
    more += [f"{columns:,} more of acceptance"] if columns > 0 else []
    return [line(f"{' and '.join(more)}: --format json has all", role="caution")] if more else []


def _cell(one: SweepRow | None) -> str:
    gain = None if one is None else one.measured.decoding_speedup
    return NONE if gain is None else f"{gain:.2f} x{' +' if gain > 1 else ''}"


def _best(best: SweepRow, gain: float) -> str:
    at = f" at {shares(best.acceptance)}" if best.acceptance else ""
    of = f"{counted(best.drafted, 'drafted token')}{at}: {gain:.2f} x"
    return f"most is gained with {of}; + is where it pays" if gain > 1 else f"nowhere does it pay; nearest with {of}"


def _reading(found: Drafting) -> Element:
    return note(
        f"Medians of {counted(max(one.requests for one in found.ways), 'request')} each." if found.ways else None,
        "decoding: from the target's first token to its last, what the draft does first included. gain: of the whole "
        "request, against the target alone.",
        "overlapped: the draft encodes, prefills and drafts its first tokens on a thread and stream of its own while "
        "the target does; accepted: of what was drafted.",
    )

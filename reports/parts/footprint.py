"""What a recording holds of its device's memory: weights, cache, activations, and what the allocator wastes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Line, Row, Table, block, line, note
from reports.palette import NONE
from reports.units import byte_count, share, significant
from tracer.document.summary import Footprint

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import StageFootprint, Summary


def part(summary: Summary, asked: Asked) -> Block | None:
    """The peak and what it is made of, and a row a stage."""
    found = summary.footprint
    if not isinstance(found, Footprint):
        return None
    rows = [_row(stage) for stage in found.stages if asked.shows(stage.stage)]
    columns = [
        Column("stage", right=False),
        *map(Column, ("before", "peak", "after", "needs")),
        Column("reserved", rank=1),
        Column("unused", rank=2),
    ]
    return block(
        "memory without a profiler",
        _peak(found),
        _parts(found),
        Table(columns, rows) if rows else None,
        note(
            "By the allocator's counters. needs: what a stage's peak is above before: activations, and what it leaves.",
            "reserved: the most that the allocator held of the device. unused: of what it held at the stage's end, "
            "what nothing was allocated in (fragmentation).",
            _unknown(found),
        ),
    )


def _peak(found: Footprint) -> Line | None:
    highest = found.highest
    if highest is None or highest.peak_bytes is None:
        return None
    of = "" if found.device_bytes is None else f" of the device's {byte_count(found.device_bytes)}"
    said = f"at most {byte_count(highest.peak_bytes)}{of} allocated, in {highest.stage}"
    reserved = found.reserved_bytes
    if reserved:
        more = share(max(0, reserved - highest.peak_bytes), reserved)
        said += f" · {byte_count(reserved)} reserved, {more} of it never allocated"
    return line(said, role="strong")


def _parts(found: Footprint) -> Line:
    said = [f"before a request {byte_count(found.before_bytes)}"]
    if found.weight_bytes is not None:
        said[0] += f", of which weights {byte_count(found.weight_bytes)}"
    expected = found.kv_token_expected_bytes
    if found.kv_ahead:
        said.append("the cache is allocated ahead" + (f" ({byte_count(expected)} a token)" if expected else ""))
    elif found.kv_token_bytes is not None:
        by = f", {byte_count(expected)} by its configuration" if expected else ""
        said.append(f"grows by {byte_count(found.kv_token_bytes)} a token of a sequence{by}{_beside(found)}")
    elif expected:
        said.append(f"keys and values of a token: {byte_count(expected)} by the configuration")
    return line(" · ".join(said))


def _beside(found: Footprint) -> str:
    """How far what was measured is from what was expected, where that is worth a word."""
    if not found.kv_token_bytes or not found.kv_token_expected_bytes:
        return ""
    ratio = found.kv_token_bytes / found.kv_token_expected_bytes
    return "" if 0.99 <= ratio <= 1.01 else f" (× {significant(ratio)})"


def _row(stage: StageFootprint) -> Row:
    peak, needs, reserved = (
        NONE if count is None else byte_count(count)
        for count in (stage.peak_bytes, stage.needs_bytes, stage.reserved_bytes)
    )
    start, end, unused = map(byte_count, (stage.start_bytes, stage.end_bytes, stage.unused_bytes))
    return Row([stage.stage, start, peak, end, needs, reserved, unused])


def _unknown(found: Footprint) -> str:
    if all(stage.peak_bytes is not None for stage in found.stages):
        return ""
    return (
        f"{NONE}: more was held at another time, and a script's counters are not reset; tracer record --memory tells "
        "each allocation."
    )

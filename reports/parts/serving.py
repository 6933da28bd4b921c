"""The steps of a serving engine: what they held, their phases, attention's work, and what of them is steady."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Caution, Column, Element, Row, Sentence, Table, block, line, note
from reports.palette import NONE
from reports.units import counted, duration, share, significant

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Attention, Held, Phase, Spread, SteadyPart, Summary

BOUNDS = {"compute": "arithmetic", "memory": "memory bandwidth"}
COUNTS = ("prompts", "prompt_tokens", "sequences", "new_tokens", "kv_tokens")


def part(summary: Summary, _: Asked) -> Block | None:
    """A row a stage and a phase each."""
    found = summary.serving
    if found is None:
        return None
    return block(
        "what the steps held",
        *_steady(found.steady),
        *_batches([row for row in found.held if _told(row)]),
        *_attention(found.attention, found.no_attention),
        *_phases(found.phases),
    )


def _told(row: Held) -> bool:
    return any(getattr(row, name) is not None for name in (*COUNTS, "tokens"))


def _steady(part: SteadyPart | None) -> list[Element]:
    if part is None:
        return []
    left = f"{counted(part.ops_left_out, 'device op')}, {duration(part.time_left_out_ns)}"
    text = (
        f"steady part: {counted(part.steps, 'step')} of about {counted(part.batch, 'sequence')}; left out "
        f"{part.before:,} before and {part.after:,} behind ({left})"
    )
    return [line(text, role="strong"), note(f"steady: {part.rule}.")]


def _batches(rows: list[Held]) -> list[Element]:
    if not rows:
        return []
    columns = [
        Column("stage", right=False),
        Column("steps"),
        Column("prompts", rank=3),
        Column("tokens", rank=2),
        Column("sequences"),
        Column("new tokens", rank=4),
        Column("KV tokens", rank=1),
        Column("a token", rank=5),
    ]
    cells = [
        Row(
            [
                row.stage,
                f"{row.steps:,}",
                *[_spread(getattr(row, name)) for name in COUNTS],
                NONE if row.ns_per_token is None else duration(row.ns_per_token),
            ]
        )
        for row in rows
    ]
    says = note(
        "Of the median step, by the engine's labels, with the lowest and the highest where they differ.",
        Sentence("prompts", "prompts: requests whose prompt is processed;"),
        Sentence("tokens", "tokens: of these prompts."),
        "sequences: requests that decode.",
        Sentence("new tokens", "new tokens: computed for them."),
        Sentence("KV tokens", "KV tokens: in all caches that attention reads."),
        Sentence("a token", "a token: device time of the steps over all tokens computed."),
    )
    return [Table(columns, cells), says]


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return NONE
    median = f"{spread.median:,.0f}" if spread.median == round(spread.median) else f"{spread.median:,.1f}"
    return median if spread.low == spread.high else f"{median} ({spread.low:,}–{spread.high:,})"


def _attention(rows: list[Attention], missing: str) -> list[Element]:
    if not rows:
        return [note(f"No roofline of attention: {missing}.")] if missing else []
    columns = [
        Column("attention in", right=False),
        Column("takes"),
        Column("FLOP/B", rank=3),
        Column("TFLOP/s", rank=1),
        Column("GB/s", rank=1),
        Column("MFU"),
        Column("MBU"),
        Column("bound by", right=False, rank=2),
    ]
    cells = [
        Row(
            [
                row.stage,
                duration(row.time_ns),
                significant(row.intensity),
                significant(row.tflops),
                significant(row.gbs),
                _part(row.mfu),
                _part(row.mbu),
                BOUNDS.get(row.bound or "", NONE),
            ]
        )
        for row in rows
    ]
    one = rows[0]
    says = note(
        f"At most: as causal attention over whole caches in {counted(one.layers, 'layer')} of "
        f"{counted(one.heads, 'head')} ({one.kv_heads:,} of keys) of size {one.head_size:,} in {one.dtype} would be, "
        "by the labels' sums; a layer with a window does less. takes: attention's kernels in a step.",
        Sentence("MFU", "MFU, MBU: of peak while they ran."),
    )
    errors = [Caution(f"{row.stage}: {row.error}", label="error") for row in rows if row.error]
    return [Table(columns, cells), says, *errors]


def _part(value: float | None) -> str:
    return NONE if value is None else share(value, 1)


def _phases(rows: list[Phase]) -> list[Element]:
    if not rows:
        return []
    columns = [
        Column("phase", right=False, named=True),
        Column("count", rank=1),
        Column("host"),
        Column("ops", rank=2),
        Column("device"),
    ]
    cells = [
        Row([row.name, f"{row.count:,}", duration(row.cpu_ns), f"{row.ops:,}", duration(row.device_time_ns)])
        for row in rows
    ]
    return [Table(columns, cells), note("Phases of the steps, with what was launched inside, in whatever stage.")]

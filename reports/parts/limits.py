"""What limits each stage: its work at the device's peak, beside what a run of it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from reports.blocks import Block, Caution, Column, Row, Sentence, Table, block, line, note
from reports.palette import NONE
from reports.parts.words import kind
from reports.units import counted, duration, share, significant

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Roofline, StageRoofline, Summary, VisualToken

TITLE = "what limits each stage"
LIMITS = {
    "host": "host: launches come late",
    "sync": "sync: host waits for device",
    "launch": "launch latency",
    "unknown": "idle, cause unknown",
    "compute": "arithmetic",
    "memory": "memory bandwidth",
    "kernels": "kernels, far from the roof",
}


def part(summary: Summary, asked: Asked) -> Block | None:
    """From the model's own work; from the operators' recorded shapes where that was asked for."""
    if summary.roofline is None:
        return None
    roof = replace(summary.roofline, stages=[row for row in summary.roofline.stages if asked.shows(row.stage)])
    if not roof.stages:
        return None
    if roof.source == "shapes":
        return _recorded(roof, kind(summary))
    return _analytic(roof) if roof.peak_source else None


def _analytic(roof: Roofline) -> Block | None:
    """Floor, busy time and duration of a run of each stage, and what lies between them."""
    columns = [
        Column("a run of", right=False),
        Column("floor"),
        Column("busy", rank=1),
        Column("takes"),
        Column("MFU", rank=2),
        Column("MBU", rank=2),
        Column("limited by", right=False, wraps=True),
    ]
    rows = [
        Row(
            [
                row.stage,
                NONE if row.floor_ns is None else duration(row.floor_ns),
                duration(row.busy_ns),
                duration(row.step_ns),
                _part(row.mfu),
                _part(row.mbu),
                LIMITS.get(row.limited_by or "", NONE),
            ]
        )
        for row in roof.stages
    ]
    clean = all(row.step_source == "clean" for row in roof.stages)
    says = note(
        f"floor: the model's own operations and bytes (weights, KV cache) at peak, {_peaks(roof)}.",
        Sentence("busy", "busy: kernels ran."),
        f"takes: {'without a profiler' if clean else 'in the trace'}.",
        Sentence("MFU", "MFU, MBU: what peak arithmetic or bandwidth would need, as a share of that."),
    )
    token = roof.visual_token
    visual = None if token is None or token.prefill_ns is None else line(_visual_tokens(token, token.prefill_ns))
    return block(TITLE, Table(columns, rows), says, visual, *_errors(roof))


def _recorded(roof: Roofline, of: str) -> Block | None:
    """What the operators of known shapes achieved in each stage, and what share of `of` time they are."""
    columns = [
        Column("a run of", right=False),
        Column("busy", rank=3),
        Column("takes"),
        Column("TFLOP/s"),
        Column("FLOP/B", rank=4),
        Column("MFU"),
        Column("MBU", rank=2),
        Column("covered"),
        Column("limited by", right=False, rank=1, wraps=True),
    ]
    peaks = _peaks(roof) if roof.peak_source else "unknown, see --peak-tflops and --peak-gbs"
    says = note(
        "From recorded shapes: operations of matrix products, convolutions and attention; bytes of their inputs and "
        f"outputs. covered: the share of {of} time that these asked for; what else ran counts as busy, not as work.",
        "TFLOP/s: while busy.",
        Sentence("FLOP/B", "FLOP/B: operations per byte."),
        "MFU, MBU: what peak arithmetic or bandwidth would need, as a share of what a run takes.",
        f"Peak in {roof.dtype}: {peaks}.",
    )
    return block(TITLE, Table(columns, [_recorded_row(row) for row in roof.stages]), says, *_errors(roof))


def _errors(roof: Roofline) -> list[Caution]:
    """Why a row has no share of a peak."""
    return [Caution(row.error, label="error") for row in roof.stages if row.error]


def _recorded_row(row: StageRoofline) -> Row:
    intensity = NONE if row.intensity is None else significant(row.intensity)
    return Row(
        [
            row.stage or "all",
            duration(row.busy_ns),
            duration(row.step_ns),
            significant(row.tflops),
            intensity,
            _part(row.mfu),
            _part(row.mbu),
            _part(row.covered),
            LIMITS.get(row.limited_by or "", NONE),
        ]
    )


def _part(value: float | None) -> str:
    return NONE if value is None else share(value, 1)


def _peaks(roof: Roofline) -> str:
    peaks = [
        NONE if roof.peak_tflops is None else f"{significant(roof.peak_tflops)} TFLOP/s",
        NONE if roof.peak_gbs is None else f"{significant(roof.peak_gbs)} GB/s",
    ]
    source = "vendor's data sheet" if roof.peak_source.startswith("https://") else roof.peak_source
    return f"{' and '.join(peaks)} ({source})"


def _visual_tokens(token: VisualToken, prefill_ns: float) -> str:
    count = counted(token.count, "visual token is", "visual tokens are")
    text = f"{count} {token.prefill_share:.0%} of prefill's work, {duration(prefill_ns)} each"
    if token.decode_ns is None:
        return text
    return f"{text}; in each decode step {duration(token.decode_ns)} each (inferred from the model's cost)"

"""Sections of the terminal report: decode steps, and what limits each stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from reports.palette import COLOURS, NONE
from reports.units import byte_count, duration, printable, share, short_kernel, significant, sparkline

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tracer.document.summary import Breakdown, Decoding, Roofline, Summary, Token, VisualToken

MOST_ROWS = 12
WIDE = 78
# What is left of the table of recorded shapes in narrower terminals.
NARROW = ("takes", "TFLOP/s", "MFU", "covered")
INNERMOST = "the innermost open on the launching thread at the launch."
MEANING = {
    "op": f"op: {INNERMOST}",
    "module": f"module: the class of {INNERMOST}",
    "layer": f"layer: the outermost numbered layer or block {INNERMOST.removeprefix('the innermost ')}",
    "kernel": "kernel: by name.",
    "category": "category: by the kernel's name.",
    "stream": "stream: of the device.",
}
LIMITS = {
    "host": "host: launches come late",
    "sync": "sync: host waits for device",
    "launch": "launch latency",
    "unknown": "idle, cause unknown",
    "compute": "arithmetic",
    "memory": "memory bandwidth",
    "kernels": "kernels, far from the roof",
}


def limits(roof: Roofline) -> list[RenderableType]:
    """Floor, busy time and duration of a run of each stage, and what lies between them."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("a run of", no_wrap=True)
    for heading in ("floor", "busy", "takes", "MFU", "MBU"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("limited by", ratio=1)
    for row in roof.stages:
        table.add_row(
            Text(row.stage, style=COLOURS.get(row.stage, "white")),
            NONE if row.floor_ns is None else duration(row.floor_ns),
            duration(row.busy_ns),
            duration(row.step_ns),
            NONE if row.mfu is None else f"{row.mfu:.1%}",
            NONE if row.mbu is None else f"{row.mbu:.1%}",
            LIMITS.get(row.limited_by or "", NONE),
        )
    lines = [Text(_roof_note(roof), style="dim")]
    if roof.visual_token is not None and roof.visual_token.prefill_ns is not None:
        lines.append(Text(_visual_tokens(roof.visual_token, roof.visual_token.prefill_ns)))
    return [table, *lines]


def recorded_limits(roof: Roofline, width: int, kind: str) -> list[RenderableType]:
    """What the operators of known shapes achieved in each stage, and what share of `kind` time they are."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("a run of", no_wrap=True)
    headings = ("busy", "takes", "TFLOP/s", "FLOP/B", "MFU", "MBU", "covered", "limited by")
    shown = headings if width >= WIDE else tuple(heading for heading in headings if heading in NARROW)
    for heading in shown:
        left = heading == "limited by"
        table.add_column(heading, justify="left" if left else "right", no_wrap=not left, ratio=1 if left else None)
    for row in roof.stages:
        cells = {
            "busy": duration(row.busy_ns),
            "takes": duration(row.step_ns),
            "TFLOP/s": significant(row.tflops),
            "FLOP/B": NONE if row.intensity is None else significant(row.intensity),
            "MFU": NONE if row.mfu is None else f"{row.mfu:.1%}",
            "MBU": NONE if row.mbu is None else f"{row.mbu:.1%}",
            "covered": NONE if row.covered is None else f"{row.covered:.1%}",
            "limited by": LIMITS.get(row.limited_by or "", NONE),
        }
        name = Text(row.stage or "all", style=COLOURS.get(row.stage, "white"))
        table.add_row(name, *[cells[heading] for heading in shown])
    peaks = _peaks(roof) if roof.peak_source else "unknown, see --peak-tflops and --peak-gbs"
    note = (
        "From recorded shapes: operations of matrix products, convolutions and attention; bytes of their inputs and "
        f"outputs. covered: the share of {kind} time that these asked for; what else ran counts as busy, not as work. "
        "TFLOP/s: while busy. FLOP/B: operations per byte. MFU, MBU: what peak arithmetic or bandwidth would need, as "
        f"a share of what a run takes. Peak in {printable(roof.dtype)}: {peaks}."
    )
    return [table, Text(note, style="dim")]


def _peaks(roof: Roofline) -> str:
    peaks = [
        NONE if roof.peak_tflops is None else f"{significant(roof.peak_tflops)} TFLOP/s",
        NONE if roof.peak_gbs is None else f"{significant(roof.peak_gbs)} GB/s",
    ]
    source = "vendor's data sheet" if roof.peak_source.startswith("https://") else printable(roof.peak_source)
    return f"{' and '.join(peaks)} ({source})"


def _roof_note(roof: Roofline) -> str:
    clean = all(row.step_source == "clean" for row in roof.stages)
    return (
        f"floor: the model's own operations and bytes (weights, KV cache) at peak, {_peaks(roof)}. "
        f"busy: kernels ran. takes: {'without a profiler' if clean else 'in the trace'}. "
        "MFU, MBU: what peak arithmetic or bandwidth would need, as a share of that."
    )


def _visual_tokens(token: VisualToken, prefill_ns: float) -> str:
    text = f"{token.count:,} visual tokens are {token.prefill_share:.0%} of prefill's work, {duration(prefill_ns)} each"
    if token.decode_ns is None:
        return text
    return f"{text}; in each decode step {duration(token.decode_ns)} each (inferred from the model's cost)"


def breakdown(summary: Summary, found: Breakdown, width: int) -> Group:
    """Device time by stage and something else, the largest of each stage."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("stage", no_wrap=True)
    table.add_column(found.by, overflow="ellipsis", no_wrap=True, ratio=1)
    for heading in ("ops", "self" if summary.device.kind == "cpu" else "device", "share"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.width = width
    shown: dict[str, int] = {}
    for row in found.rows:
        shown[row.stage] = shown.get(row.stage, 0) + 1
        if shown[row.stage] > MOST_ROWS:
            continue
        table.add_row(
            Text((row.stage or "no stage") if shown[row.stage] == 1 else "", style=COLOURS.get(row.stage, "white")),
            Text(short_kernel(row.name) if found.by == "kernel" else printable(row.name)),
            f"{row.ops:,}",
            duration(row.device_time_ns),
            share(row.device_time_ns, summary.device.time_ns),
        )
    more = sum(max(0, count - MOST_ROWS) for count in shown.values())
    note = f"{MEANING[found.by]} share: of all {'operator' if summary.device.kind == 'cpu' else 'device'} time."
    if any(row.name == "graph replay" for row in found.rows):
        note += " graph replay: its kernels were launched when the graph was captured, nobody knows from where."
    if found.by_external_id:
        note += f" Of {found.by_external_id:,} ops no operator was open there: theirs is the one of their External id."
    if found.wrong_external_ids:
        note += f" {found.wrong_external_ids:,} External ids name an operator that was over, or not begun, by then."
    if more:
        note += f" {more} more rows: --format json lists them."
    return Group(table, Text(note, style="dim"))


def decode_steps(summary: Summary, width: int) -> Group:
    """How long the steps take, what each asks of the device, how they grow and which stand out."""
    tokens = summary.tokens
    on_device = any(token.ops for token in tokens)
    times = [token.device_time_ns if on_device else token.cpu_ns for token in tokens]
    ordered = sorted(times)

    def rank(percent: int) -> str:
        return duration(ordered[max(0, -(-len(ordered) * percent // 100) - 1)])

    line = Text.assemble(
        (f"{len(tokens):,} {'step' if len(tokens) == 1 else 'steps'}", "bold"),
        "" if on_device else " on the host",
        f" · p50 {rank(50)} · p90 {rank(90)} · p99 {rank(99)}",
    )
    curve = Text.assemble(
        f"first {duration(times[0])} ",
        (sparkline(times, min(len(times), width - 34)), COLOURS["decode"]),
        f" last {duration(times[-1])}",
    )
    lines = [line, curve]
    if summary.device.kind != "cpu":
        lines.append(Text(_per_token(tokens)))
    lines += [
        Text(sentence)
        for sentence in _decoding(summary.decoding, "operator" if summary.device.kind == "cpu" else "device")
    ]
    return Group(*lines)


def _per_token(tokens: list[Token]) -> str:
    """What the median step asks of the host."""
    counts = [token.counts for token in tokens]

    def typical(values: list[int]) -> int:
        return sorted(values)[len(values) // 2]

    waits, wait_ns = typical([one.waits for one in counts]), typical([one.wait_ns for one in counts])
    graphs = typical([one.graphs for one in counts])
    parts = [
        f"{typical([one.launches for one in counts]):,} launches" + (f" ({graphs:,} graph replay)" if graphs else ""),
        f"{typical([one.kernels for one in counts]):,} kernels",
        f"{waits:,} waits for the device" + (f" ({duration(wait_ns)})" if waits else ""),
    ]
    copied = (
        (typical([one.to_device_bytes for one in counts]), "to the device"),
        (typical([one.to_host_bytes for one in counts]), "to the host"),
    )
    parts += [f"{byte_count(count)} {where}" for count, where in copied if count]
    return f"a token: {' · '.join(parts)}"


def _decoding(decoding: Decoding | None, kind: str) -> list[str]:
    """How the steps grow, and which stand out."""
    if decoding is None:
        return []
    sentences = []
    if decoding.growth is not None:
        growth = decoding.growth
        low, high = duration(growth.low_ns), duration(growth.high_ns)
        sentences.append(
            f"{kind} time grows by {duration(growth.ns)} per token of cache (95 % interval {low} to {high})"
            if growth.low_ns > 0
            else f"{kind} time does not grow measurably with the cache (95 % interval {low} to {high} per token)"
        )
    if decoding.outliers:
        shown = [f"#{o.index} +{duration(o.excess_ns)} ({o.cause})" for o in decoding.outliers[:3]]
        more = f" and {len(decoding.outliers) - 3} more" if len(decoding.outliers) > 3 else ""
        sentences.append(f"steps that stand out: {', '.join(shown)}{more}")
    return sentences

"""The summary as a person reads it in a terminal; plain when the output is none."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, cast

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reports.units import bar, duration, printable, share, short_kernel, significant, sparkline

if TYPE_CHECKING:
    from typing import Literal

    from rich.console import RenderableType

    from tracer.summary import Finding, Latency, Summary, Token

    Colours = Literal["auto", "standard", "256", "truecolor", "windows"]

COLOURS = {
    "load": "bright_black",
    "preprocess": "cyan",
    "vision": "magenta",
    "prefill": "blue",
    "decode": "green",
    "mixed": "yellow",
}
SEVERITIES = {"info": ("•", "bold"), "warning": ("▲", "bold yellow"), "error": ("✖", "bold red")}
TOP_KERNELS = 3
TOP_RANGES = 15
WIDE = 100


def render(summary: Summary, *, width: int = 80, colours: str | None = None) -> str:
    """Render to text of `width` columns, with colours where a colour system is given."""
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        color_system=cast("Colours | None", colours),
        force_terminal=colours is not None,
        highlight=False,
        legacy_windows=False,
    )
    for part in _parts(summary, width):
        console.print(part)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _parts(summary: Summary, width: int) -> list[RenderableType]:
    parts: list[RenderableType] = [_header(summary)]
    if summary.stages:
        parts += [_stage_table(summary, width), _legend(summary)]
    if summary.tokens:
        parts += [_heading("decode tokens"), _tokens(summary.tokens, width)]
    if summary.latency is not None:
        parts += [_heading("latency"), _latency(summary.latency)]
    if summary.stages and summary.device.ops:
        parts += [_heading("top operators" if _on_cpu(summary) else "top kernels"), _kernels(summary, width)]
    if not summary.stages and summary.ranges:
        parts += [_heading("ranges"), _ranges(summary)]
    if summary.findings:
        parts += [_heading("findings"), Group(*[_finding(finding) for finding in summary.findings])]
    return [*parts, *_warnings(summary)]


def _on_cpu(summary: Summary) -> bool:
    return summary.device.kind == "cpu"


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _header(summary: Summary) -> Group:
    lines = [Text(title, style="bold") if (title := _run_title(summary)) else None]
    trace, device = summary.trace, summary.device
    about = [printable(trace.path), printable(trace.producer), f"{trace.events:,} events"]
    about += [_devices(summary)] if not summary.run else []
    lines.append(Text(" · ".join(part for part in about if part), style="dim"))
    if device.kind == "gpu":
        lines.append(
            Text(
                f"{device.ops:,} device ops · {duration(device.time_ns)} device time · "
                f"{duration(device.busy_ns)} busy · {duration(device.idle_ns)} idle"
            )
        )
    elif device.ops:
        lines.append(
            Text(
                f"no device work in this trace: charged by operator self time ({device.ops:,} operators, "
                f"{duration(device.time_ns)})"
            )
        )
    else:
        lines.append(Text("no device work and no operators in this trace"))
    lines += [Text(line, style=style) for line, style in _run_notes(summary)]
    return Group(*[line for line in lines if line is not None])


def _run_title(summary: Summary) -> str:
    run = summary.run
    if not run:
        return ""
    parts = [
        f"{run['model']} {run['size']}",
        f"{run['device']}, {run['dtype']}",
        f"{run['frames']} frames = {run['visual_tokens']} visual + {run['prompt_tokens']} prompt tokens",
        f"{run['new_tokens']} tokens out",
    ]
    if run["batch_size"] != 1:
        parts.append(f"batch {run['batch_size']}")
    return printable(" · ".join(parts))


def _run_notes(summary: Summary) -> list[tuple[str, str]]:
    run = summary.run
    if not run:
        return []
    notes = []
    if run["verification"] == "passed":
        notes.append((f"verified: {run['verified_tokens']} tokens equal the model's own generate", "green"))
    else:
        notes.append(("not verified against the model's own generate", "yellow"))
    if run["coupled"]:
        notes.append(("coupled on purpose: stage 4 was given the frames, not the features", "yellow"))
    if run["synchronised"]:
        notes.append(("synchronised at stage boundaries: for checking, not for measuring", "yellow"))
    return notes


def _devices(summary: Summary) -> str:
    names = [printable(device.name) or f"device {device.id}" for device in summary.trace.devices]
    unique = list(dict.fromkeys(names))
    return ", ".join(f"{names.count(name)} × {name}" if names.count(name) > 1 else name for name in unique)


def _stage_table(summary: Summary, width: int) -> Table:
    total_ns = sum(stage.device_time_ns for stage in summary.stages)
    total_ns += summary.device.unattributed.time_ns
    on_cpu = _on_cpu(summary)
    bar_width = max(4, min(24, width - 72))
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 0, 0, 1), show_edge=False)
    table.add_column("stage", no_wrap=True)
    for heading in ("calls", "host", "self" if on_cpu else "device"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("share", no_wrap=True, min_width=bar_width + 7)
    for heading in ("busy", "idle", "ops" if on_cpu else "kernels"):
        table.add_column(heading, justify="right", no_wrap=True)
    for stage in summary.stages:
        colour = COLOURS.get(stage.stage, "white")
        times = stage.device_time_ns, stage.busy_ns, stage.idle_ns
        table.add_row(
            Text(stage.stage, style=colour),
            f"{stage.calls:,}",
            duration(stage.cpu_ns),
            *_work(stage.ops, times, total_ns, bar_width, colour),
        )
    rest = summary.device.unattributed
    if rest.ops:
        times = rest.time_ns, rest.busy_ns, rest.idle_ns
        table.add_row("no stage", "", "", *_work(rest.ops, times, total_ns, bar_width, "bright_black"))
    return table


def _work(
    ops: int, times_ns: tuple[int, int, int], total_ns: int, bar_width: int, colour: str
) -> list[RenderableType]:
    time_ns, busy_ns, idle_ns = times_ns
    if not ops:
        return ["–", "", "–", "–", "0"]
    drawn = Text(bar(time_ns, total_ns, bar_width), style=colour)
    return [
        duration(time_ns),
        Text.assemble(drawn, f"{share(time_ns, total_ns):>7}"),
        duration(busy_ns),
        duration(idle_ns),
        f"{ops:,}",
    ]


def _legend(summary: Summary) -> Padding:
    if _on_cpu(summary):
        text = (
            "host: the ranges on the CPU. self, busy: operators' own time. idle: time between operators, "
            "charged to the stage of the operator that ends it."
        )
    else:
        text = (
            "host: the ranges on the CPU. device: kernel durations added up. busy: time in which any of them "
            "ran. idle: gaps, charged to the stage of the op that ends them."
        )
    rest = summary.device.unattributed
    reasons = [
        f"{name.replace('_', ' ')} {duration(reason.time_ns)} ({reason.ops:,} ops)"
        for name, reason in rest.reasons.items()
        if reason.ops
    ]
    whole = summary.device.time_ns
    if reasons:
        text += f" In no stage: {share(rest.time_ns, whole)}: {', '.join(reasons)}."
    elif whole:
        text += " Every op belongs to a stage."
    return Padding(Text(text, style="dim"), (0, 0, 0, 0))


def _tokens(tokens: list[Token], width: int) -> Group:
    times = [token.device_time_ns for token in tokens]
    ordered = sorted(times)

    def rank(percent: int) -> str:
        return duration(ordered[max(0, -(-len(ordered) * percent // 100) - 1)])

    line = Text.assemble(
        (f"{len(tokens):,} steps", "bold"),
        f" · p50 {rank(50)} · p90 {rank(90)} · p99 {rank(99)}"
        f" · first {duration(times[0])} · last {duration(times[-1])}",
    )
    curve = Text.assemble(
        (sparkline(times, min(len(times), width - 32)), COLOURS["decode"]),
        (f"  {duration(ordered[0])} to {duration(ordered[-1])}", "dim"),
    )
    return Group(line, curve)


def _latency(latency: Latency) -> Group:
    clocks = {"cuda_event": "by device events", "host": "by the host clock"}
    source = "without a profiler" if latency.source == "clean" else "under the profiler"
    head = [f"TTFT {duration(latency.ttft_ns)}"]
    if latency.tpot_ns is not None:
        head.append(f"TPOT {duration(latency.tpot_ns)}")
    if latency.tokens_per_s is not None:
        head.append(f"{significant(latency.tokens_per_s)} tokens/s")
    head.append(f"request {duration(latency.request_ns)}")
    lines = [
        Text.assemble((" · ".join(head), "bold")),
        Text(" + ".join(f"{stage} {duration(time_ns)}" for stage, time_ns in latency.stages_ns.items())),
    ]
    if latency.itl_ns is not None:
        itl = latency.itl_ns
        lines.append(
            Text(
                f"between tokens: p50 {duration(itl.p50)} · p90 {duration(itl.p90)} · p99 {duration(itl.p99)}"
            )
        )
    if latency.distortion:
        ratios = " · ".join(f"{stage} × {ratio:.2f}" for stage, ratio in latency.distortion.items())
        lines.append(Text(f"under the profiler: {ratios}"))
    lines.append(
        Text(
            f"Medians of {latency.requests} requests {source}, {clocks.get(latency.clock, latency.clock)}. "
            "TTFT: request start to the end of prefill, load and preprocess included. "
            "TPOT: (end of last token - end of token 0) / (tokens - 1).",
            style="dim",
        )
    )
    return Group(*lines)


def _kernels(summary: Summary, width: int) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    table.width = width
    for stage in summary.stages:
        for number, kernel in enumerate(stage.kernels[:TOP_KERNELS]):
            table.add_row(
                Text(stage.stage if number == 0 else "", style=COLOURS.get(stage.stage, "white")),
                Text(short_kernel(kernel.name)),
                f"{kernel.count:,} ×",
                duration(kernel.time_ns),
                share(kernel.time_ns, stage.device_time_ns),
            )
    return table


def _ranges(summary: Summary) -> Group:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("name", overflow="ellipsis", no_wrap=True, ratio=1)
    for heading in ("count", "ops", "device", "share"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in summary.ranges[:TOP_RANGES]:
        table.add_row(
            Text(printable(row.name)),
            f"{row.count:,}",
            f"{row.ops:,}",
            duration(row.device_time_ns),
            share(row.device_time_ns, summary.device.time_ns if not _on_cpu(summary) else 0),
        )
    note = "Device ops by the ranges around their launch; an op counts for every range that encloses it."
    more = len(summary.ranges) - TOP_RANGES
    if more > 0:
        note += f" {more} more names: --format json lists them."
    return Group(table, Text(note, style="dim"))


def _finding(finding: Finding) -> Padding:
    mark, style = SEVERITIES.get(finding.severity, SEVERITIES["info"])
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(ratio=1)
    message = printable(finding.message)
    grid.add_row(
        Text(mark, style=style),
        Text.assemble((message, style if finding.severity == "error" else ""), (f"  [{finding.id}]", "dim")),
    )
    return Padding(grid, (0, 0))


def _warnings(summary: Summary) -> list[Text]:
    return [Text(f"warning: {printable(warning)}", style="yellow") for warning in summary.trace.warnings]

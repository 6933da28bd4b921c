"""The summary as a person reads it in a terminal; plain when the output is none."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, cast

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reports import statistics
from reports.palette import COLOURS, NONE
from reports.stages import breakdown, decode_steps, limits, recorded_limits
from reports.units import bar, duration, printable, share, significant

if TYPE_CHECKING:
    from typing import Literal

    from rich.console import RenderableType

    from tracer.document.summary import Finding, Latency, Stage, Summary

    Colours = Literal["auto", "standard", "256", "truecolor", "windows"]

SEVERITIES = {"info": ("•", "bold"), "warning": ("▲", "bold yellow"), "error": ("✖", "bold red")}
TOP_RANGES = 15
WIDE = 78
PROJECTING = 100
HOST_COLUMNS = ("stage", "calls", "host")
WIDE_COLUMNS = ("stage", "calls", "host", "device", "share", "busy", "idle", "kernels")
NARROW_COLUMNS = ("stage", "device", "share")


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
    if summary.breakdown is not None:
        return [*parts, Text(), breakdown(summary, summary.breakdown, width), *_warnings(summary)]
    if summary.stages:
        parts += [Text(), _stage_table(summary, width), _legend(summary)]
    if summary.tokens:
        parts += [_heading("decode tokens"), decode_steps(summary, width)]
    if summary.latency is not None:
        parts += [_heading("latency"), _latency(summary.latency)]
    if summary.stages and summary.device.ops:
        parts += [_heading("kinds of work"), _categories(summary)]
    if not summary.stages and summary.ranges:
        parts += [_heading("ranges"), _ranges(summary, width)]
    if summary.roofline is not None and summary.roofline.source == "shapes":
        parts += [
            _heading("what limits each stage"),
            *recorded_limits(summary.roofline, width, "operator" if _on_cpu(summary) else "device"),
        ]
    elif summary.roofline is not None and summary.roofline.peak_source:
        parts += [_heading("what limits each stage"), *limits(summary.roofline)]
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
    lines += [Text(f"by choice: {choice}", style="yellow") for choice in trace.choices]
    return Group(*[line for line in lines if line is not None])


def _run_title(summary: Summary) -> str:
    run = summary.run
    if not run:
        return ""
    given = []  # what code of somebody's own does not say is 0
    if run["frames"]:
        given.append("1 frame" if run["frames"] == 1 else f"{run['frames']} frames")
    if run["visual_tokens"] or run["prompt_tokens"]:
        given.append(f"{run['visual_tokens']} + {run['prompt_tokens']} tokens in, {run['new_tokens']} out")
    elif run["new_tokens"]:
        given.append(f"{run['new_tokens']} tokens out")
    if run["batch_size"] != 1:
        given.append(f"batch {run['batch_size']}")
    named = " ".join(str(part) for part in (run["model"], run["size"]) if part)
    title = f"{named}, {run['dtype']} on {run['device']}" if run["dtype"] else f"{named} on {run['device']}"
    several = f"; the first of {run['samples']} samples" if run.get("samples", 0) > 1 else ""
    return printable(f"{title}: {', '.join(given)}{several}" if given else title)


def _run_notes(summary: Summary) -> list[tuple[str, str]]:
    run = summary.run
    if not run:
        return []
    notes = []
    if run["verification"] == "passed":
        notes.append((f"verified: {run['verified_tokens']} tokens equal the model's own generate", "green"))
    elif run["verification"] == "differs":
        first, tokens = run.get("first_difference"), run["verified_tokens"]
        notes.append((f"from token {first} of {tokens} on, the tokens differ from the model's own generate", "yellow"))
    elif because := run.get("not_verified_because"):
        notes.append((f"not verified: {printable(str(because))}", "yellow"))
    else:
        notes.append(("not verified against the model's own generate", "yellow"))
    if run.get("warmed_up", True) is not True:
        notes.append(("measured without a warm-up: the latencies hold what is slow the first time", "yellow"))
    if run.get("decode", "eager") != "eager":
        notes.append((f"decode steps by {printable(str(run['decode']))}, not as transformers makes them", "yellow"))
    if run["coupled"]:
        notes.append(("coupled on purpose: stage 4 was given the frames, not the features", "yellow"))
    missing = run.get("missing_stages")
    for stage, reason in missing.items() if isinstance(missing, dict) else ():
        notes.append((f"{printable(stage)} is no stage of its own here: {printable(str(reason))}", "yellow"))
    if run["synchronised"]:
        notes.append(("synchronised at stage boundaries: for checking, not for measuring", "yellow"))
    return notes


def _devices(summary: Summary) -> str:
    names = [printable(device.name) or f"device {device.id}" for device in summary.trace.devices]
    unique = list(dict.fromkeys(names))
    return ", ".join(f"{names.count(name)} × {name}" if names.count(name) > 1 else name for name in unique)


def _stage_table(summary: Summary, width: int) -> Table:
    whole_ns = summary.device.time_ns
    bar_width = max(4, min(24, width - 72))
    rest = summary.device.unattributed
    rows = [
        _stage_row(stage.stage, stage.calls, stage.cpu_ns, stage.ops, stage.busy_ns, stage.idle_ns)
        | {"device": _time(stage), "share": _share(stage.stage, stage.device_time_ns, whole_ns, bar_width)}
        for stage in summary.stages
    ]
    if rest.ops:
        rows.append(
            _stage_row("no stage", None, None, rest.ops, rest.busy_ns, rest.idle_ns)
            | {"device": duration(rest.time_ns), "share": _share("", rest.time_ns, whole_ns, bar_width)}
        )
    columns = WIDE_COLUMNS if width >= WIDE else NARROW_COLUMNS
    columns = columns if summary.device.ops else HOST_COLUMNS
    on_cpu = {"device": "self", "kernels": "ops"} if _on_cpu(summary) else {}
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 0, 0, 1), show_edge=False)
    for column in columns:
        left = column in ("stage", "share")
        table.add_column(on_cpu.get(column, column), justify="left" if left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*[row[column] for column in columns])
    return table


def _stage_row(
    stage: str, calls: int | None, host_ns: int | None, ops: int, busy_ns: int, idle_ns: int
) -> dict[str, RenderableType]:
    return {
        "stage": Text(stage, style=COLOURS.get(stage, "bright_black")),
        "calls": "" if calls is None else f"{calls:,}",
        "host": "" if host_ns is None else duration(host_ns),
        "busy": duration(busy_ns) if ops else NONE,
        "idle": duration(idle_ns) if ops else NONE,
        "kernels": f"{ops:,}",
    }


def _time(stage: Stage) -> str:
    return duration(stage.device_time_ns) if stage.ops else NONE


def _share(stage: str, time_ns: int, whole_ns: int, bar_width: int) -> Text:
    drawn = Text(bar(time_ns, whole_ns, bar_width), style=COLOURS.get(stage, "bright_black"))
    return Text.assemble(drawn, f"{share(time_ns, whole_ns):>7}")


def _legend(summary: Summary) -> Padding:
    if not summary.device.ops:
        text = "host: the ranges on the CPU."
    elif _on_cpu(summary):
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


def _latency(latency: Latency) -> Group:
    clocks = {"cuda_event": "by device events", "host": "by the host clock"}
    source = "without a profiler" if latency.source == "clean" else "under the profiler"
    head = [] if latency.ttft_ns is None else [f"TTFT {duration(latency.ttft_ns)}"]
    if latency.tpot_ns is not None:
        head.append(f"TPOT {duration(latency.tpot_ns)}")
    if latency.tokens_per_s is not None:
        head.append(f"{significant(latency.tokens_per_s)} tokens/s")
    lines: list[RenderableType] = [Text(" · ".join(head), style="bold")] if head else []
    if latency.itl_ns is not None:
        itl = latency.itl_ns
        lines.append(
            Text(f"between tokens: p50 {duration(itl.p50)} · p90 {duration(itl.p90)} · p99 {duration(itl.p99)}")
        )
    note = (
        f"Medians of {latency.requests} requests {source}, {clocks.get(latency.clock, latency.clock)}. "
        "TTFT: request start to the end of prefill, load and preprocess included. "
        "TPOT: (end of last token - end of token 0) / (tokens - 1)."
    )
    if latency.outside_ns > 0:
        note += f" Of a request, {duration(latency.outside_ns)} lie in no stage."
    if latency.distortion:
        note += " Last row: how much slower each stage is under the profiler."
    if statistic_rows := statistics.rows(latency):
        note += statistics.NOTE
    if spread := statistics.samples(latency):
        lines.append(Text(spread))
    return Group(*lines, _latency_table(latency, statistic_rows), Text(note, style="dim"))


def _latency_table(latency: Latency, statistic_rows: list[list[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("", no_wrap=True)
    for stage in latency.stages_ns:
        table.add_column(Text(stage, style=COLOURS.get(stage, "white")), justify="right", no_wrap=True)
    table.add_column("request", justify="right", no_wrap=True)
    times = [duration(time_ns) for time_ns in latency.stages_ns.values()]
    table.add_row(latency.source, *times, duration(latency.request_ns))
    for row in statistic_rows:
        table.add_row(*row)
    if latency.distortion:
        ratios = [latency.distortion.get(stage) for stage in latency.stages_ns]
        table.add_row("profiler", *["–" if ratio is None else f"× {ratio:.2f}" for ratio in ratios], "")
    return table


def _categories(summary: Summary) -> Group:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for stage in summary.stages:
        whole = stage.device_time_ns
        shown = [
            f"{name} {share(time_ns, whole)}" for name, time_ns in stage.categories.items() if time_ns * 200 > whole
        ]
        if shown:
            table.add_row(Text(stage.stage, style=COLOURS.get(stage.stage, "white")), " · ".join(shown))
    other = share(summary.device.categories.get("other", 0), summary.device.time_ns)
    what = "operator" if _on_cpu(summary) else "device"
    note = f"By name; {other} of the {what} time has a name that says nothing (other). More: --by kernel, op or module."
    return Group(table, Text(note, style="dim"))


def _ranges(summary: Summary, width: int) -> Group:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    # The figures keep their room however long a name is.
    table.add_column(
        "name", overflow="ellipsis", no_wrap=True, max_width=max(12, width - (60 if width >= PROJECTING else 40))
    )
    projected = width >= PROJECTING
    for heading in ("count", "ops", "device", "share", *(("projected", "kernels") if projected else ())):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in summary.ranges[:TOP_RANGES]:
        table.add_row(
            Text(printable(row.name)),
            f"{row.count:,}",
            f"{row.ops:,}",
            duration(row.device_time_ns),
            share(row.device_time_ns, summary.device.time_ns if not _on_cpu(summary) else 0),
            *((duration(row.projected_ns), duration(row.kernel_ns)) if projected else ()),
        )
    note = "Device ops by the ranges around their launch; an op counts for every range that encloses it."
    if projected:
        note += " Projected, kernels: as nsys stats has them; spans with gaps, and nested ranges of one name add up."
    unlaunched = summary.device.unattributed.reasons["no_launch_record"]
    if unlaunched.ops:
        note += (
            f" In none, because their launch was not recorded: {unlaunched.ops:,} ops, {duration(unlaunched.time_ns)}."
        )
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
    if finding.gain is not None or finding.severity != "info":
        grid.add_row("", Text(_advice(finding), style="dim"))
    return Padding(grid, (0, 0))


def _advice(finding: Finding) -> str:
    """What to do, and what that would save."""
    gain = finding.gain
    if gain is None or not gain.of_ns:
        return finding.next_step
    return f"saves up to {duration(gain.time_ns)} of {duration(gain.of_ns)} ({gain.of}): {finding.next_step}"


def _warnings(summary: Summary) -> list[Text]:
    return [Text(f"warning: {printable(warning)}", style="yellow") for warning in summary.trace.warnings]

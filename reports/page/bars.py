"""Where the time goes, as bars: latency by stage with its interval, and what the device did meanwhile.

Bars are SVG whose lengths are percentages: they fit any width, need no script, and print.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.render.html import escape, name, note, stage_class
from reports.units import duration, share
from tracer.document.names import REQUEST
from tracer.document.summary import Statistic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reports.page.shown import Shown
    from tracer.document.summary import Idle, Latency, Summary

CAUSES = ("host", "sync", "launch", "unknown")
LATENCY_NOTE = (
    "The median over the requests that were measured without a profiler; the whisker is its 95 % interval, where there "
    "are five requests or more. Beside each bar: the median, its interval, and the stage's share of a request."
)
DEVICE_NOTE = (
    "busy: something ran on the device. idle, by cause: host, the next op had not been asked for yet; sync, nor could "
    "it be, as its thread was waiting for the device; launch, asked for, not yet running; unknown, the next op has no "
    "launch record. Each gap is charged to the stage of the op that ends it. All of it is of the profiled requests in "
    "the trace, so a profiler's own time is in it."
)
TRACE_NOTE = "The same for the whole trace, as no stage was found in it."


def latency_bars(files: Sequence[Shown]) -> str:
    """A row for each stage and for the request, of each file that measured them; "" of none."""
    rows = list(_latency_rows(files))
    if not rows:
        return ""
    longest = max(max(row.p50_ns, row.high_ns or 0) for _, _, row in rows)
    drawn = []
    for stage in dict.fromkeys(row.of for _, _, row in rows):
        own = [(file, latency, row) for file, latency, row in rows if row.of == stage]
        drawn += [_latency_row(file, latency, row, longest, named=len(files) > 1) for file, latency, row in own]
    clean = all(latency.source == "clean" for _, latency, _ in rows)
    heading = "Latency by stage, without a profiler" if clean else "Latency by stage"
    return bar_chart(heading, drawn, "", LATENCY_NOTE)


def _latency_rows(files: Sequence[Shown]) -> Iterator[tuple[Shown, Latency, Statistic]]:
    for file in files:
        latency = file.summary.latency
        if latency is None:
            continue
        rows = [row for row in latency.statistics if row.of in latency.stages_ns or row.of == REQUEST]
        yield from ((file, latency, row) for row in rows or _medians(latency))


def _medians(latency: Latency) -> list[Statistic]:
    """What a document says that was saved before there were intervals."""
    return [
        Statistic(of=of, n=latency.requests, mean_ns=ns, p50_ns=ns, p95_ns=ns, low_ns=None, high_ns=None)
        for of, ns in (*latency.stages_ns.items(), (REQUEST, latency.request_ns))
    ]


def _latency_row(file: Shown, latency: Latency, row: Statistic, longest: float, *, named: bool) -> str:
    spread = row.low_ns is not None and row.high_ns is not None and row.interval_of == "median"
    low, high = (row.low_ns or 0, row.high_ns or 0) if spread else (0, 0)
    bar = bar_rect(0, row.p50_ns, longest, f"fill {stage_class(row.of) or 'request'}")
    whisker = "" if not spread else interval_whisker(low, high, longest)
    interval = f"{duration(low)} – {duration(high)}" if spread else ""
    of = "" if row.of == REQUEST else share(row.p50_ns, latency.request_ns)
    label = f"{letter(file.number)} · {row.of}" if named else row.of
    return bar_row(
        label, stage_class(row.of), bar + whisker, duration(row.p50_ns), " · ".join(filter(None, (interval, of)))
    )


def device_bars(file: Shown) -> str:
    """A row for each stage: busy, then idle by cause; one for the whole trace where it has no stages."""
    summary = file.summary
    rows = list(_device_rows(summary))
    longest = max((busy + idle for _, busy, _, idle in rows if busy is not None), default=0)
    if not longest:
        return ""
    drawn = [_device_row(stage, busy, causes, longest) for stage, busy, causes, _ in rows]
    cpu = summary.device.kind == "cpu"
    heading = "What the CPU's operators did meanwhile" if cpu else "What the device did meanwhile, in the trace"
    if not summary.stages:
        heading = "What the CPU's operators did" if cpu else "What the device did"
    keys = "".join(f'<span class="key cause-{cause}">{cause}</span>' for cause in CAUSES)
    legend = f'<p class="legend"><span class="key stage-busy">busy</span> idle, by cause: {keys}</p>'
    return bar_chart(heading, drawn, legend, DEVICE_NOTE if summary.stages else f"{DEVICE_NOTE} {TRACE_NOTE}")


def _device_rows(summary: Summary) -> Iterator[tuple[str, int | None, dict[str, int], int]]:
    """Stage, busy time, idle time by cause, and all of that; busy is None where not all was recorded."""
    for stage in summary.stages:
        known = stage.busy_ns is not None and stage.idle_ns is not None
        yield stage.stage, stage.busy_ns if known else None, _causes(stage.idle), stage.idle_ns or 0
    rest = summary.device.unattributed
    if rest.ops and rest.idle_ns is not None:
        yield "no stage" if summary.stages else "all", rest.busy_ns, _causes(rest.idle), rest.idle_ns


def _causes(idle: Idle | None) -> dict[str, int]:
    return {cause: getattr(idle, f"{cause}_ns", None) or 0 for cause in CAUSES}


def _device_row(stage: str, busy: int | None, causes: dict[str, int], longest: int) -> str:
    if busy is None:
        return bar_row(stage, stage_class(stage), "", "unknown", "not all was recorded")
    pieces, place = (
        [bar_rect(0, busy, longest, f"fill {stage_class(stage) or 'stage-busy'}", f"busy {duration(busy)}")],
        busy,
    )
    for cause, time_ns in causes.items():
        if time_ns:
            pieces.append(bar_rect(place, time_ns, longest, f"cause-{cause}", f"idle, {cause}: {duration(time_ns)}"))
            place += time_ns
    main = max(causes, key=lambda cause: causes[cause])
    idle = sum(causes.values())
    said = f"idle {duration(idle)}" + (f", {'mostly ' if causes[main] < idle else ''}{main}" if idle else "")
    return bar_row(stage, stage_class(stage), "".join(pieces), f"busy {duration(busy)}", said)


def letter(number: int) -> str:
    """A file of several, by a letter: A is the baseline."""
    return chr(ord("A") + number) if number < 26 else f"#{number + 1}"


def bar_chart(heading: str, rows: Sequence[str], legend: str, meaning: str) -> str:
    """Rows under a heading, how to read them below."""
    return f'<div class="bars"><h3>{escape(heading)}</h3>{legend}{"".join(rows)}{note(meaning)}</div>'


def bar_row(label: str, kind: str, drawn: str, value: str, more: str) -> str:
    """A row: what it is of, what is drawn, and its figures."""
    return (
        f'<div class="barrow"><span class="label {kind}">{name(label)}</span>'
        f'<svg class="track" role="img" aria-label="{escape(f"{label}: {value} {more}")}">{drawn}</svg>'
        f'<span class="value"><b>{escape(value)}</b> <small>{escape(more)}</small></span></div>'
    )


def bar_rect(start: float, length: float, whole: float, kind: str, title: str = "") -> str:
    """A bar of a length, from a start on, both of the whole width."""
    said = f"<title>{escape(title)}</title>" if title else ""
    at = f'x="{_part(start, whole)}" width="{_part(length, whole)}"'
    return f'<rect class="{kind}" {at} y="4" height="16">{said}</rect>'


def interval_whisker(low: float, high: float, whole: float) -> str:
    """An interval."""
    first, last = _part(low, whole), _part(high, whole)
    ends = "".join(f'<line x1="{x}" x2="{x}" y1="7" y2="17"/>' for x in (first, last))
    return f'<g class="whisker"><line x1="{first}" x2="{last}" y1="12" y2="12"/>{ends}</g>'


def _part(length: float, whole: float) -> str:
    """In percent; where all that is drawn takes no time, none of it has a length."""
    return f"{length / whole if whole else 0.0:.3%}"

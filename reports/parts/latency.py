"""What a user waits for: medians stage by stage, what several requests say together, and the profiler's distortion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Line, Row, Table, block, line, note
from reports.palette import NONE
from reports.units import duration, percent, printable, share, significant

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Latency, SampleLatency, Statistic, Summary

CLOCKS = {"cuda_event": "by device events", "host": "by the host clock"}
LONGEST_NAME = 24


def part(summary: Summary, _: Asked) -> Block | None:
    """TTFT and TPOT, the gaps between tokens, and a column a stage."""
    latency = summary.latency
    if latency is None:
        return None
    statistics = _statistics(latency)
    # The first stages are the first to go: what comes before prefill is most often the least of a request.
    stages = [Column(stage, rank=rank) for rank, stage in enumerate(reversed(latency.stages_ns), start=1)]
    columns = [Column("", right=False), *reversed(stages), Column("request")]
    shares = [share(time_ns, latency.request_ns) for time_ns in latency.stages_ns.values()]
    rows = [
        [latency.source, *map(duration, latency.stages_ns.values()), duration(latency.request_ns)],
        *statistics,
        ["share", *shares, ""],
    ]
    if latency.distortion:
        ratios = [latency.distortion.get(stage) for stage in latency.stages_ns]
        rows.append(["profiler", *[NONE if ratio is None else f"× {ratio:.2f}" for ratio in ratios], ""])
    return block(
        "latency",
        _headline(latency),
        _between(latency),
        _samples(latency),
        Table(columns, [Row(row) for row in rows]),
        note(
            _source(latency),
            "TTFT: request start to the end of prefill, load and preprocess included. "
            "TPOT: (end of last token - end of token 0) / (tokens - 1).",
            "share: of the request.",
            f"Of a request, {duration(latency.outside_ns)} lie in no stage." if latency.outside_ns > 0 else "",
            "Last row: how much slower each stage is under the profiler." if latency.distortion else "",
            _intervals(latency),
        ),
    )


def _headline(latency: Latency) -> Line | None:
    head = [] if latency.ttft_ns is None else [f"TTFT {duration(latency.ttft_ns)}"]
    if latency.tpot_ns is not None:
        head.append(f"TPOT {duration(latency.tpot_ns)}")
    if latency.tokens_per_s is not None:
        head.append(f"{significant(latency.tokens_per_s)} tokens/s")
    return line(" · ".join(head), role="strong") if head else None


def _between(latency: Latency) -> Line | None:
    itl = latency.itl_ns
    if itl is None:
        return None
    gaps = f"p50 {duration(itl.p50)} · p90 {duration(itl.p90)} · p99 {duration(itl.p99)}"
    if latency.tokens_per_step in (None, 1.0):
        return line(f"between tokens: {gaps}")
    return line(f"between steps, each of which yields {latency.tokens_per_step:.2f} tokens on average: {gaps}")


def _source(latency: Latency) -> str:
    source = "without a profiler" if latency.source == "clean" else "under the profiler"
    of = "One request" if latency.requests == 1 else f"Medians of {latency.requests:,} requests"
    return f"{of} {source}, {CLOCKS.get(latency.clock, latency.clock)}."


def _statistics(latency: Latency) -> list[list[str]]:
    """The medians' intervals, means and 95th percentiles, in the columns of the stages; none of one request."""
    if latency.requests < 2 or not latency.statistics:  # summaries saved before they came have none
        return []
    found = {statistic.of: statistic for statistic in latency.statistics}
    columns = [found.get(name) for name in (*latency.stages_ns, "request")]
    table = []
    if any(one is not None and one.low_ns is not None for one in columns):
        table.append(["  from", *[_bound(one, "low_ns") for one in columns]])
        table.append(["  to", *[_bound(one, "high_ns") for one in columns]])
    table.append(["mean", *[NONE if one is None else duration(one.mean_ns) for one in columns]])
    table.append(["p95", *[NONE if one is None else duration(one.p95_ns) for one in columns]])
    return table


def _intervals(latency: Latency) -> str:
    """What from and to are, "" where there are none."""
    found = next((one for one in latency.statistics if one.low_ns is not None), None)
    if found is None or latency.requests < 2:
        return ""
    level = "95 %" if found.level is None else percent(found.level, signed=False)
    return f"From, to: the {found.interval_of}'s {level} interval, if requests are independent of each other."


def _bound(statistic: Statistic | None, which: str) -> str:
    bound = None if statistic is None else getattr(statistic, which)
    return NONE if bound is None else duration(bound)


def _samples(latency: Latency) -> Line | None:
    """How far the samples lie apart, where there are several."""
    found = [(_request_ns(sample), sample.name) for sample in latency.samples if sample.statistics]
    if len(found) < 2:
        return None
    (least_ns, quickest), (most_ns, slowest) = min(found), max(found)
    return line(
        f"{len(found)} samples: request p50 from {duration(least_ns)} ({_short(quickest)}) to {duration(most_ns)} "
        f"({_short(slowest)}); each in --format json"
    )


def _request_ns(sample: SampleLatency) -> float:
    return next((row.p50_ns for row in sample.statistics if row.of == "request"), 0)


def _short(name: str) -> str:
    name = printable(name)
    return name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"

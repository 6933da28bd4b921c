"""What several requests say together: rows under the medians, and a line about the samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.palette import NONE
from reports.units import duration, printable

if TYPE_CHECKING:
    from tracer.document.summary import Latency, SampleLatency, Statistic

NOTE = " Mean, and its 95 % interval by bootstrap over the requests (from, to)."
LONGEST_NAME = 24


def rows(latency: Latency) -> list[list[str]]:
    """Mean, its interval and the 95th percentile, in the columns of the latency table; none of one request."""
    if latency.requests < 2:
        return []
    found = {statistic.of: statistic for statistic in latency.statistics}
    columns = [found.get(name) for name in (*latency.stages_ns, "request")]
    table = [["mean", *[NONE if one is None else duration(one.mean_ns) for one in columns]]]
    if any(one is not None and one.low_ns is not None for one in columns):
        table.append(["  from", *[_bound(one, "low_ns") for one in columns]])
        table.append(["  to", *[_bound(one, "high_ns") for one in columns]])
    table.append(["p95", *[NONE if one is None else duration(one.p95_ns) for one in columns]])
    return table


def _bound(statistic: Statistic | None, which: str) -> str:
    bound = None if statistic is None else getattr(statistic, which)
    return NONE if bound is None else duration(bound)


def samples(latency: Latency) -> str:
    """How far the samples lie apart, "" where there are not several."""
    found = [(_request_ns(sample), sample.name) for sample in latency.samples if sample.statistics]
    if len(found) < 2:
        return ""
    (least_ns, quickest), (most_ns, slowest) = min(found), max(found)
    return (
        f"{len(found)} samples: request p50 from {duration(least_ns)} ({_short(quickest)}) to {duration(most_ns)} "
        f"({_short(slowest)}); each in --format json"
    )


def _request_ns(sample: SampleLatency) -> float:
    return next((row.p50_ns for row in sample.statistics if row.of == "request"), 0)


def _short(name: str) -> str:
    name = printable(name)
    return name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"

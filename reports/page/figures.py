"""The few figures that a person looks for first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.parts.words import lost_of
from reports.render.html import escape
from reports.units import counted, duration, share, significant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.document.summary import Summary


def tiles(summary: Summary) -> str:
    """A tile for each figure that the document has."""
    drawn = "".join(
        f'<div class="tile"><dt>{escape(name)}</dt><dd>{escape(value)}</dd><dd class="more">{escape(more)}</dd></div>'
        for name, value, more in _figures(summary)
    )
    return f'<dl class="tiles">{drawn}</dl>' if drawn else ""


def _figures(summary: Summary) -> Iterator[tuple[str, str, str]]:
    latency = summary.latency
    if latency is not None:
        of = f"median of {counted(latency.requests, 'request')}" if latency.requests > 1 else "one request"
        yield "request", duration(latency.request_ns), of
        if latency.ttft_ns is not None:
            yield (
                "to the first token (TTFT)",
                duration(latency.ttft_ns),
                f"{share(latency.ttft_ns, latency.request_ns)} of a request",
            )
        if latency.tpot_ns is not None:
            rate = f"{significant(latency.tokens_per_s)} tokens/s" if latency.tokens_per_s else ""
            yield "per later token (TPOT)", duration(latency.tpot_ns), rate
    device = summary.device
    if device.kind == "gpu" and device.busy_ns is not None and device.idle_ns is not None:
        whole = device.busy_ns + device.idle_ns
        yield "device busy", share(device.busy_ns, whole), f"{duration(device.busy_ns)} of {duration(whole)} recorded"
    if device.ops:
        recorded = "" if lost_of(summary) is None or device.kind == "cpu" else "recorded "
        yield (
            "operators" if device.kind == "cpu" else f"{recorded}device ops",
            f"{device.ops:,}",
            f"{duration(device.time_ns)} in all",
        )

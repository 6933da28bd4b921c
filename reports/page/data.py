"""What the page's script is given: data alone, as JSON and as packed columns."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Any

import msgspec

from reports.parts.limits import LIMITS
from reports.units import printable, short_kernels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.page.shown import Shown
    from tracer.document.summary import Roofline, Summary, Token
    from tracer.document.timeline import KernelRow, Launch, Place, Timeline

# Decode steps that a chart has bars for.
MOST_STEPS = 20_000
# What could end the element, or the line, that the data stands in.
_ESCAPES = {
    b"<": b"\\u003c",
    b">": b"\\u003e",
    b"&": b"\\u0026",
    "\u2028".encode(): b"\\u2028",
    "\u2029".encode(): b"\\u2029",
}


def as_json(files: Sequence[Shown]) -> str:
    """All files' data, safe inside a script element of JSON."""
    data = msgspec.json.encode([_file(file) for file in files])
    for char, spelled in _ESCAPES.items():
        data = data.replace(char, spelled)
    return data.decode()


def as_columns(timeline: Timeline) -> str:
    """The columns of all tracks behind each other, deflated, in letters that are safe anywhere."""
    joined = b"".join(column for track in timeline.tracks for column in track.columns.values())
    return base64.b64encode(zlib.compress(joined, 6)).decode()


def _file(file: Shown) -> dict[str, Any]:
    summary, timeline = file.summary, file.timeline
    return {
        "cpu": summary.device.kind == "cpu",
        "passes": summary.trace.steps == "passes",
        "unknown": [stage.stage for stage in summary.stages if stage.busy_ns is None],
        "tokens": _tokens(summary),
        "outliers": _outliers(summary),
        "roofline": None if summary.roofline is None else _roofline(summary.roofline),
        "kernels": _kernels(summary) if timeline is None else _rows(timeline),
        "timeline": None if timeline is None else _timeline(timeline),
    }


def _tokens(summary: Summary) -> list[list[int | None]]:
    """Request, index, cache length, busy time and idle time by cause of each step."""
    cached = _cache_lengths(summary)
    return [
        [
            token.request, token.index, cached.get(id(token)), token.busy_ns, token.idle.host_ns, token.idle.sync_ns,
            token.idle.launch_ns, token.idle.unknown_ns,
        ]
        for token in summary.tokens[:MOST_STEPS]
        if token.busy_ns is not None and token.idle is not None
    ]  # fmt: skip


def _cache_lengths(summary: Summary) -> dict[int, int]:
    """The cache that each step began with, where all requests began with the same: it grows by one a step."""
    decoding, tokens = summary.decoding, summary.tokens
    if decoding is None or len(decoding.kv_tokens) < 2 or not tokens or summary.trace.steps == "passes":
        return {}
    shortest, longest = decoding.kv_tokens
    first, last = min(_indices(tokens)), max(_indices(tokens))
    return {id(token): shortest + token.index - first for token in tokens} if longest - shortest == last - first else {}


def _indices(tokens: Sequence[Token]) -> list[int]:
    return [token.index for token in tokens]


def _outliers(summary: Summary) -> list[list[int | str]]:
    found = summary.decoding.outliers if summary.decoding is not None else []
    return [[one.request, one.index, one.excess_ns, one.cause] for one in found]


def _roofline(roof: Roofline) -> dict[str, Any]:
    return {
        "device": printable(roof.device),
        "dtype": printable(roof.dtype),
        "tflops": roof.peak_tflops,
        "gbs": roof.peak_gbs,
        "stages": [
            {
                "stage": row.stage or "all",
                "intensity": row.intensity,
                "tflops": row.tflops,
                "busy_ns": row.busy_ns,
                "step_ns": row.step_ns,
                "mfu": row.mfu,
                "mbu": row.mbu,
                "limit": LIMITS.get(row.limited_by or "", ""),
                "devices": row.devices,
            }
            for row in roof.stages
            if not row.error
        ],
    }


def _kernels(summary: Summary) -> list[list[Any]]:
    """Of a saved summary, which says of kernels their name, stage, count and time."""
    rows = [(stage.stage, kernel) for stage in summary.stages for kernel in stage.kernels or []]
    rows = rows or [("", kernel) for kernel in summary.device.kernels]
    short = short_kernels(kernel.name for _, kernel in rows)
    return [
        [printable(kernel.name), short[kernel.name], stage, "", kernel.count, kernel.time_ns, None, [], 0]
        for stage, kernel in rows
    ]


def _rows(timeline: Timeline) -> list[list[Any]]:
    short = short_kernels(row.name for row in timeline.kernels)
    return [_kernel(row, short[row.name]) for row in timeline.kernels]


def _kernel(row: KernelRow, short: str) -> list[Any]:
    launches = [_launch(one) for one in row.launches]
    return [
        printable(row.name),
        short,
        row.stage,
        row.category,
        row.count,
        row.time_ns,
        _place(row.longest),
        launches,
        row.launched_otherwise,
    ]


def _launch(one: Launch) -> list[Any]:
    return [one.grid, one.block, one.registers, one.shared_bytes, one.occupancy, one.count, one.time_ns]


def _place(place: Place) -> list[int]:
    return [place.start_ns, place.end_ns]


def _timeline(timeline: Timeline) -> dict[str, Any]:
    return {
        "length": timeline.length_ns,
        "names": list(map(printable, timeline.names)),
        "categories": timeline.categories,
        "stages": timeline.stages,
        "shapes": [_launch(one)[:5] for one in timeline.shapes],
        "places": [place and [place.start_ns, place.end_ns] for place in timeline.places],
        "tracks": [
            {
                "kind": track.kind,
                "label": printable(track.label),
                "items": track.items,
                "of": track.of,
                "columns": [[name, len(column)] for name, column in track.columns.items()],
            }
            for track in timeline.tracks
        ],
    }

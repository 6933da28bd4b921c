"""Traces as plain lists, names and threads spelled out, so that they can be compared."""

from __future__ import annotations

from typing import Any

from tracer.trace.columns import Trace


def spelled_out(trace: Trace) -> dict[str, list[Any]]:
    """Every column; the numbering of names and threads may differ between readers, what they mean may not."""

    def names(column: Any) -> list[str]:
        return [trace.strings[index] for index in column.tolist()]

    def threads(column: Any) -> list[tuple[str, str]]:
        return [trace.threads[index] for index in column.tolist()]

    ops, calls = trace.ops, trace.calls
    columns: dict[str, list[Any]] = {
        "op names": names(ops.name),
        "call names": names(calls.name),
        "call threads": threads(calls.thread),
        "captures": trace.captures.tolist(),
        "devices": [(device.id, device.name) for device in trace.devices],
        "events": [trace.events],
    }
    for name in ("start_ns", "end_ns", "kind", "device", "stream", "correlation", "size_bytes"):
        columns[f"op {name}"] = getattr(ops, name).tolist()
    for name in ("start_ns", "end_ns", "correlation"):
        columns[f"call {name}"] = getattr(calls, name).tolist()
    for label, spans in (("range", trace.ranges), ("cpu op", trace.cpu_ops)):
        columns[f"{label} names"] = names(spans.name)
        columns[f"{label} threads"] = threads(spans.thread)
        columns[f"{label} start"] = spans.start_ns.tolist()
        columns[f"{label} end"] = spans.end_ns.tolist()
    if trace.details is not None:
        details = trace.details
        for name in ("of_op", "of_call", "of_operator"):
            columns[f"external id {name}"] = getattr(details, name).tolist()
        shapes = [tuple(b"".join(text.split()) for text in shape) for shape in details.shapes]
        columns["shapes"] = [shapes[number] if number >= 0 else None for number in details.shape.tolist()]
    return columns

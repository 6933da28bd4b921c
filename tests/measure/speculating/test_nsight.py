"""Rounds in an Nsight Systems export."""

from __future__ import annotations

from support.chrome import Event, trace_of
from support.nsight import Export
from support.rounds import rounds

from tracer.summarize import summarize


def _exported(events: list[Event]) -> Export:
    """The same ranges, launches and kernels, as NVTX and CUPTI have them."""
    export = Export()
    for event in events:
        start, end = (round(1000 * time) for time in (event["ts"], event["ts"] + event["dur"]))
        args = event.get("args", {})
        if event["cat"] == "user_annotation":
            export.span(event["name"], start, end)
        elif event["cat"] == "kernel":
            export.kernel(event["name"], start, end, args["correlation"], streamId=args["stream"])
        else:
            export.call(start, end, args["correlation"])
    return export


def test_an_export_of_nsight_has_the_same_roles_and_rounds_as_the_same_marks_in_a_chrome_trace() -> None:
    events = rounds([(2, 1), (3, 3), (1, 0)], mapping=5)
    found, expected = summarize(_exported(events).trace()), summarize(trace_of(*events))
    assert found.speculation == expected.speculation
    assert found.speculation is not None and found.speculation.accepted_tokens == 4
    assert [(row.role, row.stage, row.ops) for row in found.roles] == [
        (row.role, row.stage, row.ops) for row in expected.roles
    ]
    assert sum(row.ops for row in found.roles) == found.device.ops

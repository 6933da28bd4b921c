"""Where the ops of a file ran, by their arguments and tracks, and by which process launched them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.document.words import counted
from tracer.packed import replaced
from tracer.trace.api import starts_work
from tracer.trace.chrome.correlations import launching_process
from tracer.trace.chrome.devices import Tracks, apart_by_launch, place
from tracer.trace.columns import NO_CORRELATION

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer.arrays import I64
    from tracer.trace.chrome.collected import Columns
    from tracer.trace.chrome.correlations import Correlations
    from tracer.trace.chrome.devices import Placed
    from tracer.trace.columns import Device


def place_ops(
    columns: Columns,
    described: list[Device],
    correlation: Correlations,
    other_hosts: Callable[[], frozenset[tuple[str, str]]] | None = None,
) -> tuple[Placed, I64]:
    """Where each op ran, and the correlations of the ops, without those of which nothing tells whose they are.

    Args:
        columns: of the file.
        described: the devices that it describes.
        correlation: of its ops and calls.
        other_hosts: reads which threads ran operators, where these were not read; asked only where that matters.
    """
    ops, calls = columns.ops(), columns.calls()
    tracks = Tracks(columns.op_tracks, columns.track_of_op(), columns.hosts())
    found = place(ops.device, ops.stream, tracks, described)
    if found.on_others and other_hosts is not None:
        tracks = replace(tracks, hosts=tracks.hosts | other_hosts())
        found = place(ops.device, ops.stream, tracks, described)
    processes = sorted({process for process, _ in columns.threads})
    if len(processes) < 2 or not len(calls):
        return found, correlation.of_ops
    number = {process: place for place, process in enumerate(processes)}
    process_of_call = int64([number[process] for process, _ in columns.threads])[calls.thread]
    ops, calls = replaced(ops, correlation=correlation.of_ops), replaced(calls, correlation=correlation.of_calls)
    starts = np.array([starts_work(name) for name in columns.strings], dtype=np.bool_)[calls.name]
    launched, untold = launching_process(ops, found.device, calls, process_of_call, starts)
    placed = apart_by_launch(found, launched, processes)
    if not untold.any():
        return placed, correlation.of_ops
    placed = replace(placed, warnings=[*placed.warnings, _untold(int(untold.sum()))])
    return placed, int64(np.where(untold, NO_CORRELATION, correlation.of_ops))


def _untold(count: int) -> str:
    """What to say of so many ops of which nothing tells whose they are."""
    ops = counted(count, "device op bears", "device ops bear")
    do = "summarise the ranks' own traces, or join them with tracer annotate --merge"
    return f"{ops} the number of launches of several processes, and nothing tells whose: they have no launch; {do}"

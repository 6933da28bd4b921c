"""What was captured, out of another trace: one of the moment in which graphs were captured, or of a warm-up before it.

Two things of such a trace tell. Kernels that were launched one by one have names: where a replay's names stand in it in
the same order, they are its nodes. Launches inside a stream's capture run nothing and so have no names; they are in
order, and where the replay's ops bear node ids, which are given in that order, as many of one kind are its nodes. Of
several such places, as of layers that launch alike, that is taken which all have. A kernel of the driver that runs a
graph's copy (`graph_copies`) was launched as a copy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.graph_copies import NEITHER, driver_kernels, events_of
from tracer.charge.graphs import in_graphs, nodes_of, replays_of
from tracer.charge.intervals import distinct
from tracer.charge.modules_open import layer_modules
from tracer.charge.operators import operators_of
from tracer.charge.spans import innermost_span
from tracer.document.graphs import OUTSIDE, UNKNOWN, CapturedGraph
from tracer.trace.api import begins_capture, ends_capture, launches_graph, moves_bytes, starts_work
from tracer.trace.chrome.categories import MODULE_PREFIX
from tracer.trace.columns import OpKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.arrays import I32, I64, Bools
    from tracer.charge.work import Work
    from tracer.trace.columns import Spans, Trace

# Beyond so many places in which the same names stand, they tell nothing.
MOST_PLACES = 4096
_NUMBERED = re.compile(r"(.*)_\d+")


@dataclass(frozen=True, slots=True)
class Launches:
    """Launches of one thread in their order.

    Attributes:
        name: of what each launched, an index into strings; -1 of what ran nothing.
        alike: the same, with one number for all copies and one for all fills, as `_alike` has them.
        copies: which of them copy or fill.
        labels: [3, launches] operator, module and layer of each, indices into strings; OUTSIDE.
        whole: whether they are one capture from its beginning to its end.
    """

    name: I64
    alike: I64
    copies: Bools
    labels: I64
    whole: bool


def graphs_in(capture: Trace, capture_work: Work, trace: Trace, work: Work) -> list[CapturedGraph]:
    """The graphs that a trace replays, as far as another has what was captured.

    Args:
        capture: the other, with its operators and modules.
        capture_work: charged.
        trace: that replays them.
        work: charged.
    """
    layers = layer_modules(capture)
    launched = [*_launched(capture, capture_work, layers), *_inside_captures(capture, layers)]
    number = {name: place for place, name in enumerate(capture.strings)}
    here = int64([number.get(name, -1) for name in trace.strings])
    # A kernel that was launched by that name is no copy.
    driver = np.where(here < 0, driver_kernels(trace.strings), NEITHER)
    alike = np.where(driver != NEITHER, _alike(driver), np.append(_alike(events_of(capture.strings)), -1)[here])
    found, seen = [], set()
    for rows in replays_of(trace, work):
        key = work.name[rows].tobytes()
        if key in seen:
            continue
        seen.add(key)
        own = work.name[rows]
        copies = np.asarray((work.kind[rows] != OpKind.KERNEL) | (driver[own] != NEITHER), dtype=np.bool_)
        replay = Launches(here[own], int64(alike[own]), copies, np.empty((3, 0), dtype=np.int64), whole=True)
        places = _places(launched, replay, in_order=bool(nodes_of(trace, rows).any()))
        if places:
            found.append(_graph([trace.strings[name] for name in own.tolist()], capture.strings, places))
    return found


def _alike(sort: I64) -> I64:
    """Of names by whether they are NEITHER, COPIES or FILLS: their own number, or one for all that are alike."""
    return np.where(sort == NEITHER, np.arange(len(sort)), -1 - sort)


def _launched(trace: Trace, work: Work, layers: Spans) -> Iterator[Launches]:
    """What each thread launched one by one."""
    rows = np.flatnonzero(work.asked & ~in_graphs(trace, work)) if work.on_device else int64([])
    row = np.append(operators_of(trace, work).row, -1) if len(rows) else int64([])
    alike = _alike(events_of(trace.strings))
    called_ns = work.call_start_ns
    for thread in distinct(work.call_thread[rows]):
        own = rows[work.call_thread[rows] == thread]
        own = own[np.lexsort((work.start_ns[own], called_ns[own]))]
        operators = _names(trace.cpu_ops, row[own])
        labels = np.stack([operators, *_modules(trace, layers, called_ns[own], work.call_thread[own])])
        name = int64(work.name[own])
        yield Launches(name, alike[name], work.kind[own] != OpKind.KERNEL, labels, whole=False)


def _inside_captures(trace: Trace, layers: Spans) -> Iterator[Launches]:
    """What was launched into each graph, between the calls that begin and end a capture on their thread."""
    calls, strings = trace.calls, trace.strings
    begins, ends, starts, copies, graph = (
        np.array([rule(name) for name in strings], dtype=np.bool_)
        for rule in (begins_capture, ends_capture, starts_work, moves_bytes, launches_graph)
    )
    for thread in distinct(calls.thread):
        own = np.flatnonzero(calls.thread == thread)
        own = own[np.argsort(calls.start_ns[own], kind="stable")]
        start_ns, last_ns = calls.start_ns[own], calls.start_ns[own[ends[calls.name[own]]]]
        began_ns = np.sort(calls.end_ns[own[begins[calls.name[own]]]])
        closing = np.searchsorted(last_ns, began_ns, side="right")
        # A capture ends at the next end; of begins that share one the last, whose capture it is: a stream captures
        # once at a time, and so no launch is looked at twice.
        paired = (closing < len(last_ns)) & np.append(closing[1:] != closing[:-1], True)[: len(closing)]
        for over_ns, until_ns in zip(began_ns[paired].tolist(), last_ns[closing[paired]].tolist(), strict=True):
            inside = own[np.searchsorted(start_ns, over_ns, side="right") : np.searchsorted(start_ns, until_ns)]
            inside = inside[starts[calls.name[inside]] & (calls.end_ns[inside] < until_ns)]
            # A driver's call inside the runtime's is the same launch.
            reach = np.maximum.accumulate(calls.end_ns[inside]) if len(inside) else inside
            inside = inside[np.append(True, calls.start_ns[inside[1:]] >= reach[:-1])] if len(inside) else inside
            if len(inside) and not graph[calls.name[inside]].any():
                times, threads = calls.start_ns[inside], int64(calls.thread[inside])
                operators = _names(trace.cpu_ops, innermost_span(trace.cpu_ops, times, threads))
                labels = np.stack([operators, *_modules(trace, layers, times, threads)])
                nothing = np.full(len(inside), -1, dtype=np.int64)
                yield Launches(nothing, nothing, copies[calls.name[inside]], labels, whole=True)


def _modules(trace: Trace, layers: Spans, times_ns: I64, thread: I64) -> tuple[I64, I64]:
    innermost = innermost_span(trace.modules, times_ns, thread)
    return _names(trace.modules, innermost), _names(layers, innermost_span(layers, times_ns, thread))


def _names(spans: Spans, row: I64) -> I64:
    names: I32 = np.append(spans.name, OUTSIDE).astype(np.int32)
    return int64(names[row])


def _places(launched: list[Launches], replay: Launches, *, in_order: bool) -> list[I64]:
    """The labels of each place that a replay's nodes may have been launched at."""
    length = len(replay.name)
    found = [
        one.labels[:, at : at + length]
        for one in launched
        if not one.whole
        for at in _find(one.alike, replay.alike)
        # Only a kernel of the driver has no name there.
        if ((replay.name < 0) | (one.name[at : at + length] == replay.name)).all()
    ]
    if not found and in_order:
        found = [one.labels for one in launched if one.whole and np.array_equal(one.copies, replay.copies)]
    return found if len(found) <= MOST_PLACES else []


def _find(haystack: I64, needle: I64) -> Iterator[int]:
    """Where one stands in the other, in full."""
    if (needle == -1).any():
        return
    whole, wanted = haystack.tobytes(), needle.tobytes()
    at, found = whole.find(wanted), 0
    while at >= 0 and found <= MOST_PLACES:
        if at % haystack.itemsize == 0:
            found += 1
            yield at // haystack.itemsize
        at = whole.find(wanted, at + 1)


def _graph(kernels: list[str], strings: list[str], places: list[I64]) -> CapturedGraph:
    """The graph with the operators and modules that all places have."""
    numbers: dict[str, int] = {}

    def number_of(name: str | int) -> int:
        return name if isinstance(name, int) else numbers.setdefault(name, len(numbers))

    op, module, layer = (np.stack(column) for column in zip(*places, strict=True))
    columns = [kernels, _agreed(strings, op), _agreed(strings, module, classes=True), _agreed(strings, layer)]
    nodes = [tuple(map(number_of, node)) for node in zip(*columns, strict=True)]
    return CapturedGraph(names=list(numbers), nodes=nodes)  # type: ignore[arg-type]


def _agreed(strings: list[str], several: I64, *, classes: bool = False) -> list[str | int]:
    """Of each node the name that all places [places, nodes] have; or of modules of several layers their class."""
    first, same = several[0].tolist(), (several == several[0]).all(axis=0).tolist()
    found: list[str | int] = [strings[one].removeprefix(MODULE_PREFIX) if one >= 0 else one for one in first]
    for node in [node for node, agree in enumerate(same) if not agree]:
        names = {strings[one].removeprefix(MODULE_PREFIX) if one >= 0 else "" for one in several[:, node].tolist()}
        modules = {None if (one := _NUMBERED.fullmatch(name)) is None else one[1] for name in names}
        found[node] = (modules.pop() if classes and len(modules) == 1 else None) or UNKNOWN
    return found

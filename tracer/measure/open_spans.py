"""Work by the module, layer or operator that was open when it was asked for.

That is the innermost one on the asking thread. Kernels of a replayed graph were asked for when it was captured: where
that is known, it is theirs, and else they are said to be a graph's replay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.graphs import known_graphs
from tracer.charge.spans import innermost_span
from tracer.document.errors import InputError
from tracer.document.graphs import OUTSIDE
from tracer.measure.ways import Keys, numbered
from tracer.trace.chrome.categories import MODULE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer.arrays import I32, I64
    from tracer.charge.graphs import Replays
    from tracer.charge.work import Work
    from tracer.trace.columns import Spans, Trace

_NUMBERED = re.compile(r"(.*)_(\d+)")
GRAPH = "graph replay"
UNKNOWN = "launch not recorded"


def open_span(spans: Spans, work: Work) -> I64:
    """Index of the innermost span that was open when each piece of work was asked for, -1 where none was."""
    if work.calls is None:
        return innermost_span(spans, work.start_ns, work.call_thread)
    # Of each call once, as those of graphs' replays ask for hundreds of ops; the last is that of work without a call.
    calls, of_call = work.calls, np.full(len(work.calls) + 1, -1, dtype=np.int64)
    asking = np.zeros(len(of_call), dtype=np.bool_)
    asking[work.call] = True
    rows = np.flatnonzero(asking[:-1])
    of_call[rows] = innermost_span(spans, calls.start_ns[rows], int64(calls.thread[rows]))
    return int64(of_call[work.call])


@dataclass(frozen=True, slots=True)
class Labels:
    """What work is called.

    Attributes:
        of_span: by the name of its span.
        spans: what the spans are, in a word.
        recorded: whether the trace has any.
        replays: what is known of work that was launched as a graph.
        of_node: of each piece of work the name of its node's span, an index into the names of `replays`, OUTSIDE or
            UNKNOWN.
        of_kernel: whether a kernel, by its name, says itself what it stands for, where nothing else is known of it.
    """

    of_span: Callable[[str], str]
    spans: str
    recorded: bool
    replays: Replays
    of_node: I64
    of_kernel: Callable[[str], bool] | None = None


def keys_by_span(trace: Trace, work: Work, spans: Spans, row: I64 | I32, labels: Labels) -> Keys:
    """What each piece of work goes by.

    Args:
        trace: has the names.
        work: of the trace.
        spans: that it may belong to.
        row: of each piece of work, index of its span; -1 without.
        labels: what it is called then.
    """
    replays, of_node, of_graph = labels.replays, labels.of_node, labels.replays.of_graph
    outside = f"outside {labels.spans}"
    without = outside if labels.recorded else f"{labels.spans} not recorded"
    names = [*map(labels.of_span, trace.strings), without, GRAPH, UNKNOWN, outside]
    nothing, graph, unknown, nowhere = range(len(trace.strings), len(names))
    key = np.full(len(work), unknown, dtype=np.int32)
    key[work.asked] = nothing
    known = row >= 0
    key[known] = spans.name[row[known]]
    key[of_graph] = graph
    key[of_graph & (of_node == OUTSIDE)] = nowhere
    told = of_graph & (of_node >= 0)
    key[told] = len(names) + len(trace.strings) + of_node[told]
    if labels.of_kernel is not None:
        speaks = np.array([labels.of_kernel(name) for name in trace.strings], dtype=np.bool_)
        own = np.flatnonzero((key == graph) & speaks[work.name])
        key[own] = len(names) + work.name[own]
    keys = numbered([*names, *trace.strings, *map(labels.of_span, replays.names)], key)
    unnamed = int(np.count_nonzero(key == graph))
    asked = int(np.count_nonzero(of_graph))
    return replace(keys, graph_ops=asked, graph_ops_named=asked - unnamed)


def require_modules(trace: Trace, by: str) -> None:
    """Refuse a trace without modules, which torch records with its stacks: `with_modules` is of TorchScript's alone.

    Raises:
        InputError: it is one.
    """
    if not len(trace.modules) and trace.graphs is None and not known_graphs(trace):
        raise InputError(
            f"{trace.path}: no modules in it for --by {by}; they are in a Chrome trace that torch.profiler made with "
            "with_stack=True (tracer record --with-stack)"
        )


def bare(name: str) -> str:
    """The name of a module without the profiler's prefix: `LlamaDecoderLayer_3`."""
    return name.removeprefix(MODULE_PREFIX)


def class_of(name: str) -> str:
    """`nn.Module: Linear_3` as `Linear`."""
    numbered = _NUMBERED.fullmatch(bare(name))
    return bare(name) if numbered is None else numbered[1]

"""Work by the module, layer or operator that was open when it was asked for.

That is the innermost one on the asking thread. Kernels of a replayed graph were asked for when it was captured: they
are said to be a graph's replay.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.spans import innermost_span
from tracer.document.errors import InputError
from tracer.measure.ways import Keys, numbered
from tracer.trace.api import launches_graph
from tracer.trace.chrome.categories import MODULE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer.arrays import I64
    from tracer.charge.work import Work
    from tracer.trace.columns import Spans, Trace

_NUMBERED = re.compile(r"(.*)_(\d+)")
GRAPH = "graph replay"
UNKNOWN = "launch not recorded"


def open_span(spans: Spans, work: Work) -> I64:
    """Index of the innermost span that was open when each piece of work was asked for, -1 where none was."""
    found = np.full(len(work), -1, dtype=np.int64)
    asked = work.asked
    found[asked] = innermost_span(spans, work.call_start_ns[asked], work.call_thread[asked])
    return found


def keys_by_span(
    trace: Trace, work: Work, spans: Spans, row: I64, *, label: Callable[[str], str], without: str
) -> Keys:
    """What each piece of work goes by.

    Args:
        trace: has the names.
        work: of the trace.
        spans: that it may belong to.
        row: of each piece of work, index of its span; -1 without.
        label: what a span of this name is called.
        without: what work is called that belongs to none.
    """
    labels = [*(label(name) for name in trace.strings), without, GRAPH, UNKNOWN]
    nothing, graph, unknown = range(len(trace.strings), len(labels))
    key = np.where(work.asked, nothing, unknown)
    known = np.flatnonzero(row >= 0)
    key[known] = spans.name[row[known]]
    # One more element, for the -1 of work without a call.
    replays = np.array([*(launches_graph(name) for name in trace.strings), False], dtype=np.bool_)
    key[replays[work.call_name]] = graph
    return numbered(labels, key)


def require_modules(trace: Trace, by: str) -> None:
    """Refuse a trace without modules, which torch records with its stacks: `with_modules` is of TorchScript's alone.

    Raises:
        InputError: it is one.
    """
    if not len(trace.modules):
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

"""Which calls of modules are forward passes of a language model: the outermost that hold each decoder layer once.

A module of somebody's own may hold the whole loop over tokens, and with it each layer many times. A model that runs its
layers several times in one pass has no calls within its own that hold all of them once, and neither have parts of it
that share a layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import outermost

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.trace.columns import Spans


def passes_of(modules: Spans, own: I64, decoders: I64) -> I64:
    """The forward passes among a thread's calls, in their order.

    Args:
        modules: all calls.
        own: rows of the thread's.
        decoders: rows of those that are decoder layers.
    """
    start, end = modules.start_ns, modules.end_ns
    decoders = decoders[np.argsort(start[decoders], kind="stable")]
    begun, name = start[decoders], modules.name[decoders]
    own = own[np.argsort(start[own], kind="stable")]
    starts = start[own]

    def layers(rows: I64) -> list[list[int]]:
        """The layers that begin in each of these calls."""
        low, high = np.searchsorted(begun, start[rows]), np.searchsorted(begun, end[rows])
        return [name[a:b].tolist() for a, b in zip(low.tolist(), high.tolist(), strict=True)]

    def within(call: int, held: list[int]) -> I64 | None:
        """The passes in a call that holds some layer several times; None where it is one itself."""
        inner = own[slice(*np.searchsorted(starts, (start[call], end[call])))]
        inner = inner[~np.isin(inner, [call, *decoders[np.searchsorted(begun, start[call]) :][: len(held)].tolist()])]
        inner = inner[[len(set(one)) == len(one) > 0 for one in layers(inner)]]
        inner = inner[outermost(start[inner], end[inner])]
        found = layers(inner)
        sets = {frozenset(one) for one in found}
        # All layers in each, or those of several models.
        whole = sum(map(len, found)) == len(held) and sum(map(len, sets)) == len(frozenset[int]().union(*sets))
        return inner if whole and len(inner) else None

    calls = own[outermost(starts, end[own])]
    parts = [int64([])]
    for call, held in zip(calls.tolist(), layers(calls), strict=True):
        inner = within(call, held) if len(set(held)) < len(held) else None
        if inner is not None:
            parts.append(inner)
        elif held:
            parts.append(int64([call]))
    return int64(np.concatenate(parts))

"""What rounds of transformers' assisted generation drafted and accepted, by the recorded shapes of the target's passes.

A pass that checks has one position more than was drafted, and as many keys as positions before it and its own. Before
the next pass the cache is cut to what was accepted, so that its length there tells how much that was; of the last pass
of a request nothing does.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct
from tracer.charge.spans import innermost_span
from tracer.charge.stages.modules import decoder_layers, model_calls
from tracer.charge.stages.queries import UNKNOWN, keys_of_calls, queries_of_calls
from tracer.document.names import ALL_STAGES, DECODE, PREFILL

if TYPE_CHECKING:
    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import Trace

Tokens = tuple[int | None, int | None]
_PREFILL = ALL_STAGES.index(PREFILL)
_PASSES = tuple(map(ALL_STAGES.index, (PREFILL, DECODE)))


def told_by_shapes(trace: Trace, ranges: StageRanges, drafted: dict[int, int]) -> dict[int, Tokens]:
    """Drafted and accepted tokens by the range of the pass that checks them; nothing where no shape tells.

    Args:
        trace: with modules, operators, and details for their shapes.
        ranges: its stages, told by the frames of `generate`.
        drafted: by the same ranges how many tokens were drafted, where their own passes tell.
    """
    shapes = _shapes(trace, ranges)
    found: dict[int, Tokens] = {}
    for request in distinct(ranges.request[list(shapes)]) if shapes else []:
        rows = [row for row in shapes if ranges.request[row] == request]
        for row, following in pairwise([*rows, -1]):
            found[row] = _tokens(ranges, shapes, row, following, drafted.get(row))
    return found


def _shapes(trace: Trace, ranges: StageRanges) -> dict[int, tuple[int, int]]:
    """Positions and keys of each pass of the target, by its range, in their order."""
    details = trace.details
    calls = trace.modules[model_calls(trace)]
    if details is None or ranges.markers != "generation" or len(distinct(calls.thread)) != 1:
        return {}
    calls = calls[np.argsort(calls.start_ns, kind="stable")]
    layers = trace.modules[decoder_layers(trace, calls.thread[0])]
    queries, keys = (of(trace, details, calls, layers) for of in (queries_of_calls, keys_of_calls))
    place = innermost_span(ranges, calls.start_ns, int64(calls.thread))
    found: dict[int, tuple[int, int]] = {}
    for row, query, key in zip(place.tolist(), queries.tolist(), keys.tolist(), strict=True):
        if row >= 0 and ranges.stage[row] in _PASSES:
            if row in found or UNKNOWN in (query, key):
                return {}  # a prompt in pieces, or a pass of which nothing is known
            found[row] = query, key
    return found


def _tokens(
    ranges: StageRanges, shapes: dict[int, tuple[int, int]], row: int, following: int, made: int | None
) -> Tokens:
    queries, keys = shapes[row]
    drafted = made if ranges.stage[row] == _PREFILL else queries - 1
    if following < 0 or drafted is None:
        return drafted, None
    cached = shapes[following][1] - shapes[following][0]
    # A prompt's pass has what was drafted behind the prompt; any other the token before.
    checked = queries - drafted if ranges.stage[row] == _PREFILL else keys - queries + 1
    accepted = cached - checked
    return (drafted, accepted) if 0 <= accepted <= drafted else (None, None)

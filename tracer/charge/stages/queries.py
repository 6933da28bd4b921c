"""How many positions each call of a language model was asked for, from the recorded shapes of its inputs.

A prompt brings all of its positions at once, a decode step one for each sequence. transformers' decoder layers begin
with a projection of `[batch, positions, width]`; attention is given queries `[batch, heads, positions, width]` and as
many keys as there are positions so far, or as there is room for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from tracer.arrays import int64
from tracer.trace.chrome.askers import ATTENTIONS, PROJECTIONS

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.trace.columns import Details, Spans, Trace

UNKNOWN = -1


def prompts_by_shapes(trace: Trace, calls: Spans, layers: Spans) -> Bools | None:
    """Which calls of a language model, in their order on one thread, process a prompt; None where no shape tells.

    Args:
        trace: with operators, and details for their shapes.
        calls: of the language model.
        layers: calls of its decoder layers, on that thread.
    """
    if trace.details is None or not (trace.details.shape >= 0).any():
        return None
    queries = queries_of_calls(trace, trace.details, calls, layers)
    if (queries == UNKNOWN).any():
        return None
    keys = keys_of_calls(trace, trace.details, calls, layers)
    several = queries > 1
    if not (keys == UNKNOWN).any() and (keys != keys[0]).any():
        # Several positions behind those of earlier calls, time after time: passes that check what was drafted.
        checking = several & (keys > queries)
        if 2 * int(checking.sum()) > len(calls):
            return None
        several |= keys == queries
    return np.asarray(several, dtype=np.bool_)


def queries_of_calls(trace: Trace, details: Details, calls: Spans, layers: Spans) -> I64:
    """Positions that each call of a model was asked for, or UNKNOWN; see `prompts_by_shapes`."""
    return _first_in_each(trace, details, calls, layers, PROJECTIONS, (0, 3))


def keys_of_calls(trace: Trace, details: Details, calls: Spans, layers: Spans) -> I64:
    """Keys that attention had in each call, or UNKNOWN."""
    return _first_in_each(trace, details, calls, layers, ATTENTIONS, (1, 4))


def _first_in_each(
    trace: Trace, details: Details, calls: Spans, layers: Spans, names: tuple[str, ...], asked: tuple[int, int]
) -> I64:
    """Positions in an input of the first operator of these names in a decoder layer of each call, or UNKNOWN.

    Args:
        trace, details, calls, layers: as above.
        names: of the operators.
        asked: which input, and how many dimensions it has, the positions being the last but one.
    """
    found = np.full(len(calls), UNKNOWN, dtype=np.int64)
    numbers = [number for number, name in enumerate(trace.strings) if name in names]
    rows = np.flatnonzero(np.isin(trace.cpu_ops.name, numbers) & (trace.cpu_ops.thread == calls.thread[0]))
    rows = rows[np.argsort(trace.cpu_ops.start_ns[rows], kind="stable")]
    # The first layer that begins in a call, and the first such operator that begins in it.
    layer = np.sort(layers.start_ns)
    first = np.append(layer, np.iinfo(np.int64).max)[np.searchsorted(layer, calls.start_ns)]
    begun_ns, shape = trace.cpu_ops.start_ns[rows], details.shape[rows]
    place = np.searchsorted(begun_ns, first)
    for call, (at, end_ns) in enumerate(zip(place.tolist(), calls.end_ns.tolist(), strict=True)):
        if at < len(rows) and begun_ns[at] < end_ns:
            number = int(shape[at])
            found[call] = UNKNOWN if number < 0 else _positions(details.shapes[number][0], *asked)
    return int64(found)


def _positions(dims: bytes, place: int, dimensions: int) -> int:
    """The last dimension but one of an input that has so many; UNKNOWN where it is none of those."""
    try:
        inputs = msgspec.json.decode(dims, type=list[Any])
    except (ValueError, RecursionError):
        return UNKNOWN
    shape = inputs[place] if len(inputs) > place else None
    if not isinstance(shape, list) or len(shape) != dimensions:
        return UNKNOWN
    return shape[-2] if isinstance(shape[-2], int) and 0 < shape[-2] < 1 << 40 else UNKNOWN

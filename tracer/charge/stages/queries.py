"""How many positions each call of a language model was asked for, from the recorded shapes of its inputs.

A prompt brings all of its positions at once, a decode step one for each sequence. transformers' decoder layers begin
with a projection of `[batch, positions, width]`; attention is given queries `[batch, heads, positions, width]` and as
many keys as there are positions so far, or as there is room for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from tracer.arrays import int64
from tracer.trace.chrome.askers import ATTENTIONS, PROJECTIONS

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.trace.columns import Details, Spans, Trace

UNKNOWN = -1
# A pass that checks a draft has this many positions at most.
MOST_DRAFTED = 32
# So many calls at least that are given one position more each time repeat a prompt, and are no batches of any length.
FEWEST_AGAIN = 4


@dataclass(frozen=True, slots=True)
class Told:
    """What calls of a language model are.

    Attributes:
        prompts: which process a prompt, or a part of one; the others are decode steps.
        begins: which of these are the first of a request.
        sure: whether something tells that they answer: prompts alone may be of anything, as a classifier.
    """

    prompts: Bools
    begins: Bools
    sure: bool


def has_shapes(trace: Trace) -> bool:
    """Whether any operator's shapes were recorded, and read."""
    return trace.details is not None and bool((trace.details.shape >= 0).any())


def told_by_shapes(trace: Trace, calls: Spans, layers: Spans) -> Told | None:
    """What calls of a language model are, in their order on one thread; None where no shape tells.

    Args:
        trace: with operators, and details for their shapes.
        calls: of the language model.
        layers: calls of its decoder layers, on that thread.
    """
    if trace.details is None or not has_shapes(trace):
        return None
    queries = queries_of_calls(trace, trace.details, calls, layers)
    if (queries == UNKNOWN).any():
        return None
    keys = keys_of_calls(trace, trace.details, calls, layers)
    several = np.asarray(queries > 1, dtype=np.bool_)
    kept = not (keys == UNKNOWN).any() and bool((keys != keys[0]).any())
    if several.all() and (not kept or bool((keys == queries).all())):
        begins = _again(queries)
        return Told(begins, begins, sure=not begins.all())
    if not kept:
        return Told(several, several, sure=not several.all())
    return _by_cache(queries, keys)


def _again(queries: I64) -> Bools:
    """Which calls begin a request, of such as are given all positions each time, without a cache: one more a step."""
    begins = np.asarray(np.diff(queries, prepend=queries[0]) != 1, dtype=np.bool_)
    lengths = np.diff(np.append(np.flatnonzero(begins), len(queries)))
    # Two batches in a row may be so by chance.
    return begins if lengths.min() >= FEWEST_AGAIN else np.ones(len(queries), dtype=np.bool_)


def _by_cache(queries: I64, keys: I64) -> Told | None:
    """What calls are by how many positions they have, and how many lie in the cache; None if some check a draft.

    A prompt has nothing in front of it, or is the next turn of a conversation. In chunks, these are equal but for the
    last. Other passes over several positions behind those of earlier calls check what was drafted; what is refused is
    not in the cache of the next.
    """
    cached = keys - queries
    # Of a prompt longer than its window of attention more positions are asked for than there are keys.
    begins = np.asarray(cached <= 0, dtype=np.bool_)
    prompts = begins.copy()
    chunk = 0
    for call, (count, before) in enumerate(zip(queries.tolist(), cached.tolist(), strict=True)):
        if begins[call]:
            chunk = count
        elif count > 1 and call and prompts[call - 1] and before == keys[call - 1] and _is_chunk(queries, call, chunk):
            prompts[call] = True
        elif count > 1:
            if count <= MOST_DRAFTED:
                return None
            begins[call] = prompts[call] = True
            chunk = 0
    refused = (prompts & ~begins)[:-1] & (cached[1:] > 0) & (cached[1:] < keys[:-1])
    return None if refused.any() else Told(prompts, begins, sure=not begins.all())


def _is_chunk(queries: I64, call: int, chunk: int) -> bool:
    """Whether a call goes on with a prompt in chunks of a size: as many, or the rest behind at least two such."""
    return bool(queries[call] == chunk or (queries[call] < chunk and call > 1 and queries[call - 2] == chunk))


def queries_of_calls(trace: Trace, details: Details, calls: Spans, layers: Spans) -> I64:
    """Positions that each call of a model was asked for, or UNKNOWN; see `told_by_shapes`.

    Where its layers do not project by such an operator, as those of GPT-2, attention tells.
    """
    projected = _first_in_each(trace, details, calls, layers, PROJECTIONS, (0, 3))
    attended = _first_in_each(trace, details, calls, layers, ATTENTIONS, (0, 4))
    return int64(np.where(projected == UNKNOWN, attended, projected))


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
    # The first layer that begins in a call, and the first such operator that begins in it: the head projects too.
    order = np.argsort(layers.start_ns, kind="stable")
    never = np.iinfo(np.int64).max
    which = np.searchsorted(layers.start_ns[order], calls.start_ns)
    first, last = (np.append(column[order], never)[which] for column in (layers.start_ns, layers.end_ns))
    begun_ns, shape = trace.cpu_ops.start_ns[rows], details.shape[rows]
    place = np.searchsorted(begun_ns, first)
    for call, (at, end_ns) in enumerate(zip(place.tolist(), np.minimum(calls.end_ns, last).tolist(), strict=True)):
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

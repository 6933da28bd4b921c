"""Attention of a serving engine's steps under the device's roof: work from the labels' sums, heads from an operator.

A label has, over its requests, the pairs of tokens that attention computes and the tokens of the caches that it reads;
what a pair costs is the model's: layers, heads and their size. These are recorded where an attention operator runs
outside a graph with `record_shapes`: the same model attends in all steps, so one step tells of all. A draft model has
other layers: its steps have no row, and tell nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct
from tracer.charge.spans import innermost_span
from tracer.document.names import ALL_STAGES, DRAFT
from tracer.document.summary import Attention
from tracer.measure.roofline.draw import device_of
from tracer.measure.roofline.shapes import MOST, TYPES
from tracer.peaks.find import find_peak
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.arrays import I64
    from tracer.charge.stages.ranges import StageRanges
    from tracer.choices import Choices
    from tracer.document.summary import EngineStep
    from tracer.measure.runs import Runs
    from tracer.peaks.peak import Peak
    from tracer.trace.columns import Trace

NEEDS = Want.CPU_OPS | Want.DETAILS
# Queries (tokens, heads, size), keys (tokens, heads of keys, size): the operators at which engines leave their graphs.
_OPERATOR = re.compile(r"(?:vllm|sglang)::unified_attention(?:_with_output)?")
# The same with keys and values of a cache in pages (pages, tokens, heads, size): SGLang's outside its pieces of graphs
# (sgl-kernel's FlashAttention 3). Without pages it is a vision tower's.
_PAGED = re.compile(r"sgl_kernel::fwd")
_LAST_SUM = "sqsk"  # as both engines spell it
# A step runs one for each layer; more are none of a model's.
MOST_LAYERS = 1000
# Numbers of a token's queries; more are none of a model's.
WIDEST = 1 << 20
NO_HEADS = (
    "the labels have attention's sums, but no operator says how many heads the model has: record_shapes, and a step "
    "whose attention runs outside a graph, as prefill's mostly does"
)

UNLIKE = (
    "the labels have attention's sums, but no operator says how many heads all layers have: those recorded differ, or "
    "steps have other numbers of them, as where the profiler began within one"
)
# Steps with the usual number of layers, of all that have any; the others were recorded in part.
USUAL = 0.9


@dataclass(frozen=True, slots=True)
class Heads:
    """What attention is made of in one layer, on one rank."""

    heads: int
    kv_heads: int
    size: int
    type_name: str

    @property
    def itemsize(self) -> int:
        """Bytes of a number in the cache, taken to be of the keys' type."""
        return TYPES[self.type_name][1]


# The heads of every layer, and how many layers there are.
Layers: TypeAlias = tuple[Heads, int]


def wants_heads(trace: Trace) -> bool:
    """Whether operators are worth reading for: some label has sums."""
    return any(_LAST_SUM in trace.strings[name] for name in distinct(trace.ranges.name))


def attention_rows(
    trace: Trace, runs: Runs, steps: Sequence[EngineStep], choices: Choices, *, known: Layers | None = None
) -> tuple[list[Attention], str]:
    """A row for each stage whose steps have sums and ran attention, and why there is none; "" where nothing could be.

    Args:
        trace: with what `NEEDS` says.
        runs: of its stages.
        steps: of the engine.
        choices: peaks that a person gave.
        known: the layers, where the trace is a part of one that told them.
    """
    summed = [step for step in steps if step.stage != DRAFT and step.attention_ns and _sums(step) is not None]
    if not summed:
        return [], ""
    found = known or layers_of(trace, runs.ranges)
    if found is None:
        return [], UNLIKE if len(_attending(trace)[0]) else NO_HEADS
    heads, layers = found
    dtype = TYPES[heads.type_name][0]
    peak = find_peak(device_of(trace, runs.work), dtype, tflops=choices.peak_tflops, gbs=choices.peak_gbs)
    stages = [stage for stage in ALL_STAGES if any(step.stage == stage for step in summed)]
    return [_row([step for step in summed if step.stage == stage], heads, layers, peak) for stage in stages], ""


def _sums(step: EngineStep) -> tuple[int, int, int] | None:
    """Pairs, tokens of the caches, and tokens computed, of all requests of a step."""
    groups = (step.context, step.generation)
    pairs, cached, tokens = ([getattr(group, name) for group in groups] for name in ("pairs", "kv_tokens", "tokens"))
    if any(value is None for value in (*pairs, *cached, *tokens)):
        return None
    return sum(pairs), sum(cached), sum(tokens)


def layers_of(trace: Trace, ranges: StageRanges) -> Layers | None:
    """The heads of every layer and how many layers there are; None where that is not recorded, or differs."""
    rows, heads_of = _attending(trace)
    if trace.details is None or not len(rows):
        return None
    held = innermost_span(ranges, trace.cpu_ops.start_ns[rows], trace.cpu_ops.thread[rows].astype(np.int64))
    own = (held >= 0) & (ranges.stage[held] != ALL_STAGES.index(DRAFT))
    heads = {heads_of[number] for number in set(trace.details.shape[rows[own]].tolist())}
    counts = Counter(Counter(held[own].tolist()).values())
    (one,) = heads if len(heads) == 1 else (None,)
    layers, steps = counts.most_common(1)[0] if counts else (0, 0)
    usual = steps >= USUAL * counts.total()
    return (one, layers) if one is not None and usual and 0 < layers <= MOST_LAYERS else None


def _attending(trace: Trace) -> tuple[I64, dict[int, Heads | None]]:
    """The attention operators whose shapes were recorded, of one kind, and what each number of a shape says."""
    if trace.details is None or not len(trace.cpu_ops) or not len(trace.details.shape):
        return int64([]), {}
    for operator, read in ((_OPERATOR, _heads), (_PAGED, _heads_of_pages)):
        named = np.array([operator.fullmatch(name) is not None for name in trace.strings], dtype=np.bool_)
        rows = int64(np.flatnonzero(named[trace.cpu_ops.name] & (trace.details.shape >= 0)))
        found = {number: read(*trace.details.shapes[number]) for number in set(trace.details.shape[rows].tolist())}
        if operator is _PAGED:
            of_cache = [number for number, heads in found.items() if heads is not None]
            rows = rows[np.isin(trace.details.shape[rows], of_cache)]
        if len(rows):
            return rows, found
    return int64([]), {}


def _heads_of_pages(dims: bytes, types: bytes, concrete: bytes) -> Heads | None:
    """Of an operator whose keys and values are a cache in pages; None where they are no such cache."""
    try:
        queries, keys, values = msgspec.json.decode(dims, type=list[Any])[:3]
        pages, page, *of_token = keys
        alone = [queries, [queries[0], *of_token]]
    except (msgspec.MsgspecError, TypeError, ValueError, LookupError):
        return None
    if keys != values or len(of_token) != 2 or not all(type(number) is int and number > 0 for number in (pages, page)):
        return None
    return _heads(msgspec.json.encode(alone), types, concrete)


def _heads(dims: bytes, types: bytes, _: bytes) -> Heads | None:
    try:
        (tokens, heads, size), (others, kv_heads, key_size) = msgspec.json.decode(dims, type=list[Any])[:2]
        key_type = msgspec.json.decode(types, type=list[str])[1]
    except (msgspec.MsgspecError, TypeError, ValueError, IndexError):
        return None
    numbers = (tokens, heads, size, others, kv_heads, key_size)
    if not all(type(number) is int and 0 < number < 1 << 31 for number in numbers):
        return None
    alike = size == key_size and tokens == others and heads % kv_heads == 0
    fits = alike and heads * size <= WIDEST and key_type in TYPES
    return Heads(heads, kv_heads, size, key_type) if fits else None


def _row(steps: Sequence[EngineStep], heads: Heads, layers: int, peak: Peak) -> Attention:
    sums = [one for one in map(_sums, steps) if one is not None]
    pairs, cached, tokens = (sum(column) / len(steps) for column in zip(*sums, strict=True))
    flops = layers * 4 * heads.heads * heads.size * pairs
    moved = layers * 2 * heads.size * heads.itemsize * (heads.kv_heads * cached + heads.heads * tokens)
    time_ns = sum(step.attention_ns or 0 for step in steps) / len(steps)
    tflops, gbs = flops / time_ns / 1e3, moved / time_ns
    mfu = tflops / peak.tflops if peak.tflops else None
    mbu = gbs / peak.gbs if peak.gbs else None
    beyond = max(mfu or 0.0, mbu or 0.0) > 1
    return Attention(
        stage=steps[0].stage,
        steps=len(steps),
        layers=layers,
        heads=heads.heads,
        kv_heads=heads.kv_heads,
        head_size=heads.size,
        dtype=TYPES[heads.type_name][0],
        flops=min(MOST, round(flops)),
        bytes=min(MOST, round(moved)),
        time_ns=round(time_ns),
        intensity=flops / moved if moved else 0.0,
        tflops=tflops,
        gbs=gbs,
        mfu=None if beyond else mfu,
        mbu=None if beyond else mbu,
        bound=None if mfu is None or mbu is None or beyond else "compute" if mfu >= mbu else "memory",
        error=(
            "whole attention in every layer would take longer at peak than was measured: some layers have a window, "
            "or the cache is of a smaller type; no share of a peak follows"
            if beyond
            else ""
        ),
    )

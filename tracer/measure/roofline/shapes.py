"""What an operator computes and moves, from the shapes and types of its inputs that the profiler recorded.

Operations are counted as `torch.utils.flop_counter` counts them: a multiplication and an addition are two, attention
is not halved where it is causal, bias and softmax are not counted. Bytes are those of the inputs, read once, and of the
outputs, written once: what cannot be avoided, not what was moved.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# By the names that the profiler gives C++ types: what PyTorch calls them, and their bytes.
TYPES = {
    "double": ("float64", 8),
    "float": ("float32", 4),
    "c10::Half": ("float16", 2),
    "c10::BFloat16": ("bfloat16", 2),
    "c10::Float8_e4m3fn": ("float8_e4m3fn", 1),
    "c10::Float8_e4m3fnuz": ("float8_e4m3fnuz", 1),
    "c10::Float8_e5m2": ("float8_e5m2", 1),
    "c10::Float8_e5m2fnuz": ("float8_e5m2fnuz", 1),
    "signed char": ("int8", 1),
}
# More than a device does in seconds, and more dimensions than a tensor of PyTorch may have: such shapes are damage.
MOST = 1 << 53
MOST_DIMENSIONS = 64


@dataclass(frozen=True, slots=True)
class OperatorWork:
    """Of one call: operations, bytes read and written, and the type of its first matrix as PyTorch names it.

    Of the operations, those that a causal mask may hide are `hideable_flops`: shapes do not say whether there is one.
    """

    flops: int
    bytes: int
    dtype: str
    hideable_flops: int = field(default=0, compare=False)


class _UnfitError(Exception):
    """The inputs are not those that the formula is about."""


@dataclass(frozen=True, slots=True)
class _Inputs:
    dims: Sequence[Any]
    types: Sequence[Any]
    concrete: Sequence[Any]

    def shape(self, place: int) -> list[int]:
        """The dimensions of a tensor."""
        found = self.dims[place]
        if not isinstance(found, list) or not 0 < len(found) <= MOST_DIMENSIONS:
            raise _UnfitError
        if not all(type(size) is int and size >= 0 for size in found):
            raise _UnfitError
        return found

    def numbers(self, place: int, count: int) -> list[int]:
        """A list of numbers among the arguments, one for each spatial dimension."""
        found = msgspec.json.decode(self.concrete[place], type=list[int])
        return found * count if len(found) == 1 else found

    def type_of(self, place: int) -> tuple[str, int]:
        """Name and bytes of a tensor's type."""
        return TYPES[self.types[place]]

    def bytes_of(self, *places: int) -> int:
        """Bytes of those of the tensors that are there."""
        return sum(prod(self.shape(place)) * self.type_of(place)[1] for place in places if self.dims[place])


def work_of(operator: str, dims: bytes, types: bytes, concrete: bytes) -> OperatorWork | None:
    """The work of one call of an operator; None where there is no formula, or it does not fit.

    Args:
        operator: its name in the trace.
        dims, types, concrete: "Input Dims", "Input type" and "Concrete Inputs" of the call, JSON.
    """
    formula = FORMULAS.get(operator)
    if formula is None:
        return None
    try:
        texts = [msgspec.json.decode(text or b"[]", type=list[Any]) for text in (dims, types, concrete)]
        work = formula(_Inputs(*texts))
    except (_UnfitError, LookupError, TypeError, ValueError, ArithmeticError, RecursionError):
        return None
    return work if 0 <= work.flops < MOST and 0 <= work.bytes < MOST else None


def _product(first: int, *, bias: int | None = None, out_bytes: int | None = None) -> Callable[[_Inputs], OperatorWork]:
    """A matrix product, or several: (..., m, k) times (..., k, n)."""

    def formula(inputs: _Inputs) -> OperatorWork:
        *batch, m, k = inputs.shape(first)
        *same, inner, n = inputs.shape(first + 1)
        if batch != same or inner != k:
            raise _UnfitError
        dtype, size = inputs.type_of(first)
        read = inputs.bytes_of(first, first + 1, *(() if bias is None else (bias,)))
        written = prod(batch) * m * n * (out_bytes or size)
        return OperatorWork(2 * prod(batch) * m * n * k, read + written, dtype)

    return formula


def _linear(inputs: _Inputs) -> OperatorWork:
    """(..., k) times the transpose of (n, k)."""
    *rows, k = inputs.shape(0)
    n, inner = inputs.shape(1)
    if inner != k:
        raise _UnfitError
    dtype, size = inputs.type_of(0)
    biased = len(inputs.dims) > 2 and inputs.dims[2]
    moved = inputs.bytes_of(0, 1, *((2,) if biased else ())) + prod(rows) * n * size
    return OperatorWork(2 * prod(rows) * n * k, moved, dtype)


def _attention(*, heads: int) -> Callable[[_Inputs], OperatorWork]:
    """Queries times keys, and that times values; `heads` is where heads stand in (batch, ., ., size)."""

    def formula(inputs: _Inputs) -> OperatorWork:
        query, key, value = (inputs.shape(place) for place in range(3))
        if not len(query) == len(key) == len(value) >= 3 or query[-1] != key[-1]:
            raise _UnfitError
        along = -2 if heads == 1 else 1
        if heads == 2 and (len(query) != 4 or (len(inputs.dims) > 3 and inputs.dims[3])):
            raise _UnfitError  # sequences of several lengths behind one another, which only their offsets tell apart
        if key[along] != value[along]:
            raise _UnfitError
        dtype, size = inputs.type_of(0)
        pairs = prod(query[:-1]) * key[along]
        moved = inputs.bytes_of(0, 1, 2) + prod(query[:-1]) * value[-1] * size
        each, queries = 2 * (query[-1] + value[-1]), query[along]
        hideable = pairs * (queries - 1) // (2 * key[along]) if 0 < queries <= key[along] else 0
        return OperatorWork(each * pairs, moved, dtype, each * hideable)

    return formula


def _convolution(inputs: _Inputs) -> OperatorWork:
    """Input (batch, channels, ...) and weight (out, in / groups, ...), the other way round where transposed."""
    x, weight = inputs.shape(0), inputs.shape(1)
    size, kernel = x[2:], weight[2:]
    if len(x) != len(weight) or not size:
        raise _UnfitError
    stride, padding, dilation = (inputs.numbers(place, len(size)) for place in (3, 4, 5))
    transposed, groups = {"True": True, "False": False}[inputs.concrete[6]], int(inputs.concrete[8])
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if transposed:
        more = inputs.numbers(7, len(size))
        channels, places = weight[1] * groups, size
        out = [
            (n - 1) * s - 2 * p + r + m + 1 for n, s, p, r, m in zip(size, stride, padding, reach, more, strict=True)
        ]
    else:
        channels = weight[0]
        out = [(n + 2 * p - r - 1) // s + 1 for n, s, p, r in zip(size, stride, padding, reach, strict=True)]
        places = out
    if min(out) < 0:
        raise _UnfitError
    dtype, itemsize = inputs.type_of(0)
    moved = inputs.bytes_of(0, 1, 2) + x[0] * channels * prod(out) * itemsize
    return OperatorWork(2 * x[0] * prod(places) * prod(weight), moved, dtype)


# Of these the outermost counts: a convolution's inner operators have its work once more.
LEAVES: dict[str, Callable[[_Inputs], OperatorWork]] = {
    "aten::mm": _product(0),
    "aten::bmm": _product(0),
    "aten::addmm": _product(1, bias=0),
    "aten::baddbmm": _product(1, bias=0),
    "aten::_scaled_mm": _product(0, out_bytes=2),
    "aten::_int_mm": _product(0, out_bytes=4),
    "aten::convolution": _convolution,
    "aten::_convolution": _convolution,
    "aten::_scaled_dot_product_flash_attention": _attention(heads=1),
    "aten::_scaled_dot_product_flash_attention_for_cpu": _attention(heads=1),
    "aten::_scaled_dot_product_efficient_attention": _attention(heads=1),
    "aten::_scaled_dot_product_cudnn_attention": _attention(heads=1),
    "aten::_scaled_dot_product_fused_attention_overrideable": _attention(heads=1),
    "aten::_flash_attention_forward": _attention(heads=2),
    "aten::_efficient_attention_forward": _attention(heads=2),
    "flash_attn::_flash_attn_forward": _attention(heads=2),
}
# These count where none of the above is inside them: some libraries put their own product there.
PARENTS: dict[str, Callable[[_Inputs], OperatorWork]] = {
    "aten::linear": _linear,
    "aten::scaled_dot_product_attention": _attention(heads=1),
}
FORMULAS = LEAVES | PARENTS

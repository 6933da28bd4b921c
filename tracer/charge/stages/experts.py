"""A sequence without what repeats right behind itself, as the work of each expert that some token was sent to.

How many experts a layer asks, and how many tokens each gets, differ from step to step, so that steps are of different
lengths and multiply by different kernels. With one expert for all and one name for all products they are alike again.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.stages.sequence import ATTENTION, PRODUCT, as_one

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.charge.stages.sequence import Sequence

# What sends tokens to experts, once a layer; at least one layer in so many has experts.
_SENDS = re.compile(r"top_?k|nonzero|DeviceSelect|one_?hot|histc|expert|moe", re.IGNORECASE)
ONE_LAYER_IN = 4
# An expert asks for so many kernels at most.
MOST_KERNELS = 32


def has_experts(sequence: Sequence) -> bool:
    """Whether tokens are sent to experts about as often as there are layers, which attend."""
    sends, attends = (int(sequence.matching(0, len(sequence), one.search).sum()) for one in (_SENDS, ATTENTION))
    return ONE_LAYER_IN * sends >= attends > 0


def with_one_expert(sequence: Sequence) -> Sequence:
    """The sequence with only the first of what repeats at once, unless it attends, as layers do.

    What else an expert did is done where the first does it: its time is the first's last op's.
    """
    codes = as_one(sequence.codes, sequence.names, PRODUCT)
    # What one call asks for, as a graph's replay, has no order of its own.
    alone = np.ones(len(codes), dtype=np.bool_)
    same = sequence.asked_ns[1:] == sequence.asked_ns[:-1]
    alone[1:] &= ~same
    alone[:-1] &= ~same
    compared = np.where(alone, codes, -1 - np.arange(len(codes)))
    attends = sequence.matching(0, len(sequence), ATTENTION.search)
    kept = int64(np.arange(len(codes)))
    for size in range(1, MOST_KERNELS + 1):
        kept = kept[~_again(compared[kept], int64(attends[kept]), size)]
    last = np.append(kept[1:], len(codes)) - 1
    return replace(
        sequence,
        codes=codes[kept],
        in_order=int64(np.where(alone, codes, as_one(sequence.in_order, sequence.names, PRODUCT)))[kept],
        own=sequence.own[kept],
        time_ns=int64(np.add.reduceat(sequence.time_ns, kept)),
        asked_ns=sequence.asked_ns[kept],
        until_ns=sequence.until_ns[last],
        whole=False,
    )


def _again(codes: I64, attends: I64, size: int) -> Bools:
    """Which ops are of a later one of some equal parts of a size that follow one another."""
    dropped = np.zeros(len(codes) + 1, dtype=np.int64)
    if len(codes) > size:
        equal = np.concatenate([[False], codes[size:] == codes[:-size], [False]])
        start, end = (np.flatnonzero(np.diff(equal.astype(np.int8)) == sign) for sign in (1, -1))
        total = np.append(0, np.cumsum(attends))
        chosen = (end - start >= size) & (total[np.minimum(start + size, len(codes))] == total[start])
        start, end = start[chosen], end[chosen]
        np.add.at(dropped, start + size, 1)
        np.add.at(dropped, start + (end - start + size) // size * size, -1)
    return np.asarray(np.cumsum(dropped)[:-1] > 0, dtype=np.bool_)

"""What the host asked a device for, one after the other: the sequence in which decode steps are looked for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
from tracer.charge.intervals import distinct, sum_by
from tracer.charge.launches import find_launches

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer.arrays import I64, Bools
    from tracer.trace.columns import Trace

ATTENTION = re.compile(r"attention|attn|flash|fmha|sdpa|mha_|softmax", re.IGNORECASE)
PRODUCT = re.compile(r"gemm|gemv|matmul|cutlass|cublas|xmma|nvjet|split_?k|Cijk_|dot_kernel", re.IGNORECASE)
TOKEN = re.compile(r"arg_?max|multinomial", re.IGNORECASE)
# What joins a cache and a position, or halves of one.
JOINS = re.compile(r"CatArray|cat(?![a-z])")
# What changes as a cache grows.
_OF_CACHES = re.compile(f"{ATTENTION.pattern}|{PRODUCT.pattern}|{JOINS.pattern}|mem(?:cpy|set)", re.IGNORECASE)
# Parts that share less than this are not of the same kernels.
SAME = 0.95
# Parts that share this much of their names ask for much the same.
ALIKE = 0.8
# At most this of a prompt's matrix products and attention is a step's too, as the head's, and the choice of experts.
OTHERWISE = 0.5
# One thread must have asked for so much of the device's time: what several ask for has no order.
ONE_THREAD = 0.95


@dataclass(frozen=True, slots=True)
class Sequence:
    """Device ops in the order in which one thread asked for them.

    Attributes:
        thread: that asked.
        names: of the trace.
        codes: the ops' names, all kernels of attention as one, since others are taken as the cache grows; the kernels
            of one graph launch sorted, since branches of it may run in any order.
        in_order: the same, the kernels of a graph in the order in which they ran.
        own: each op's own name; sorted like `codes`, as all that follows.
        time_ns: how long each op ran.
        asked_ns, until_ns: start and end of the call that asked for it.
        whole: whether nothing was left out, as the work of experts but for the first.
    """

    thread: int
    names: list[str]
    codes: I64
    in_order: I64
    own: I64
    time_ns: I64
    asked_ns: I64
    until_ns: I64
    whole: bool = True
    # Of each question that was asked of names, which of them it is true of: the same are asked of every step.
    _told: dict[object, dict[int, bool]] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.codes)

    def matching(self, low: int, high: int, told: Callable[[str], object]) -> Bools:
        """Which ops of a part have a name of which something is true."""
        part = self.own[low:high]
        known = self._told.setdefault(told, {})
        codes = coded(part)[0].tolist()
        known.update({code: bool(told(self.names[code])) for code in codes if code not in known})
        fits = [code for code in codes if known[code]]
        return np.asarray(np.isin(part, fits), dtype=np.bool_)

    def call_from(self, place: int) -> int:
        """The place itself or the next one at which another call's ops begin."""
        while 0 < place < len(self) and self.asked_ns[place] == self.asked_ns[place - 1]:
            place += 1
        return place


def sequence_of(trace: Trace) -> Sequence | None:
    """The sequence of a trace; None where no one thread asked for nearly all of the device's time."""
    launch = find_launches(trace)
    rows = np.flatnonzero(launch >= 0)
    if not len(rows):
        return None
    lengths = trace.ops.end_ns - trace.ops.start_ns
    threads, thread = coded(trace.calls.thread[launch[rows]])
    spent = sum_by(int64(thread), lengths[rows], len(threads))
    chosen = int(spent.argmax())
    if spent[chosen] < ONE_THREAD * int(lengths.sum()):
        return None
    rows = rows[thread == chosen]
    asked = trace.calls.start_ns[launch[rows]]
    code = as_one(int64(trace.ops.name), trace.strings, ATTENTION)
    sorted_rows = rows[np.lexsort((code[rows], asked))]
    ran = rows[np.lexsort((trace.ops.start_ns[rows], asked))]
    return Sequence(
        thread=int(threads[chosen]),
        names=trace.strings,
        codes=code[sorted_rows],
        in_order=code[ran],
        own=int64(trace.ops.name[sorted_rows]),
        time_ns=int64(lengths[sorted_rows]),
        asked_ns=trace.calls.start_ns[launch[sorted_rows]],
        until_ns=trace.calls.end_ns[launch[sorted_rows]],
    )


def as_one(codes: I64, names: list[str], pattern: re.Pattern[str]) -> I64:
    """The same codes of names; those of a pattern have one in common."""
    alike = [number for number in distinct(codes) if pattern.search(names[number])]
    return int64(np.where(np.isin(codes, alike), alike[0], codes)) if alike else codes


def shared(own: I64, other: I64) -> float:
    """Which share of the names of `own` occur in `other` too, each as often as it does there."""
    _, code = coded(np.concatenate([own, other]))
    mine, theirs = np.bincount(code[: len(own)]), np.bincount(code[len(own) :])
    both = min(len(mine), len(theirs))
    return float(np.minimum(mine[:both], theirs[:both]).sum() / max(1, len(own)))


def alike(sequence: Sequence, part: slice, other: slice, pattern: re.Pattern[str]) -> float:
    """Which share of the kernels of such names in a part are in another too, by their own names; 1 where none is."""
    own, others = (sequence.own[one][sequence.matching(one.start, one.stop, pattern.search)] for one in (part, other))
    return shared(own, others) if len(own) else 1.0


def beside_caches(sequence: Sequence, part: slice) -> I64:
    """The names in a part that have nothing to do with how much is kept of earlier positions."""
    own = sequence.own[part]
    return int64(own[~sequence.matching(part.start, part.stop, _OF_CACHES.search)])


def same_beside_caches(sequence: Sequence, part: slice, step: slice) -> bool:
    """Whether a part asks for what a step does, or for a part of it or more, but for what depends on its cache."""
    rest = [beside_caches(sequence, one) for one in (part, step)]
    return max(shared(rest[0], rest[1]), shared(rest[1], rest[0])) >= SAME

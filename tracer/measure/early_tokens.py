"""Which tokens a model made while another processed its prompt: the overlap that running both at once is for.

Which token an op is for, the model's own stages say. Where the profiler did not see them, a trace of the model by
itself does: it asks for the same kernels in the same order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tracer.arrays import coded, int64
from tracer.charge.stages.find import find_stages
from tracer.charge.stages.named import by_name
from tracer.charge.work import work_of
from tracer.document.names import ALL_STAGES, DECODE, DRAFT, PREFILL, parse_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.arrays import I64
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace

_PREFILL = ALL_STAGES.index(PREFILL)
_DRAFT, _DECODE = ALL_STAGES.index(DRAFT), ALL_STAGES.index(DECODE)
_TOKENS = (_PREFILL, _DECODE, _DRAFT)


class Tokens(NamedTuple):
    """When the work of a model's tokens began and was over; which are of prompts' passes, each of which yields one."""

    start_ns: I64
    end_ns: I64
    prefill: np.ndarray


def tokens_of(
    trace: Trace, ranges: StageRanges, work: Work, rows: I64, role: str, alone: Trace | None
) -> Tokens | None:
    """The tokens of a role; None where neither its stages nor a trace of its own tell them.

    Args:
        trace, ranges, work: of all models.
        rows: the role's work.
        role: its name.
        alone: its own trace.
    """
    own = work.stage[rows]
    told = _tokens(ranges, own, work.start_ns[rows], work.end_ns[rows])
    if told is not None or alone is None:
        return told
    found = _stages_of(alone, role)
    there = work_of(alone, found)
    mine, theirs = (
        np.lexsort((one.start_ns[of], one.call_start_ns[of]))
        for one, of in ((work, rows), (there, np.arange(len(there))))
    )
    names = [trace.strings[name] for name in work.name[rows][mine].tolist()]
    if names != [alone.strings[name] for name in there.name[theirs].tolist()]:
        return None
    return _tokens(found, there.stage[theirs], work.start_ns[rows][mine], work.end_ns[rows][mine])


def _stages_of(alone: Trace, role: str) -> StageRanges:
    """The stages of a model's own trace, in which its name may stand before them."""

    def read(name: str) -> tuple[str, int | None] | None:
        kind = parse_kind(name) if name.startswith(f"{role}/") else None
        return None if kind is None else (kind[0].removeprefix(f"{role}/"), kind[1])

    return by_name("roles", 0, read, count_steps=False).find(alone) or find_stages(alone)


def _tokens(ranges: StageRanges, stage: I64, start_ns: I64, end_ns: I64) -> Tokens | None:
    """Of work in these ranges, by the range of each piece; None where one may hold any number of tokens.

    So does a stage that drafts, and decoding that is marked as a whole.
    """
    held = np.flatnonzero(stage >= 0)
    held = held[np.isin(ranges.stage[stage[held]], _TOKENS)]
    rows, place = coded(stage[held])
    kinds = ranges.stage[rows]
    prefill = kinds == _PREFILL
    if not prefill.any() or bool(((kinds == _DRAFT) | ((kinds == _DECODE) & (ranges.index[rows] < 0))).any()):
        return None
    starts, ends = np.full(len(rows), start_ns.max()), np.full(len(rows), end_ns.min())
    np.minimum.at(starts, place, start_ns[held])
    np.maximum.at(ends, place, end_ns[held])
    return Tokens(int64(starts), int64(ends), np.asarray(prefill))


def beside_prefills(tokens: Mapping[str, Tokens | None], role: str) -> dict[str, int]:
    """By other role how many tokens of this one were over while that one processed its prompts.

    Nothing of a model that only processes prompts.
    """
    own = tokens[role]
    found = {}
    for other, told in tokens.items():
        if other != role and own is not None and told is not None and not own.prefill.all():
            begun, over = int(told.start_ns[told.prefill].min()), int(told.end_ns[told.prefill].max())
            found[other] = int(((own.end_ns > begun) & (own.end_ns <= over)).sum())
    return found

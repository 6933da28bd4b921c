"""Stages of several models, by ranges that begin with a model's name: `A/prefill`, `B/decode#3`.

Of one name alone nothing tells that it is a model's, and ranges that show drafts alone are of another grammar, as
`model/draft` beside `model/target`: at least two must have a prompt, a step or a check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.stages.named import by_name
from tracer.charge.stages.source import StageSource
from tracer.document.names import ALL_STAGES, DECODE, PREFILL, VERIFY, parse_kind

if TYPE_CHECKING:
    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import Trace

_RUNS = tuple(map(ALL_STAGES.index, (PREFILL, DECODE, VERIFY)))


def _read(name: str) -> tuple[str, int | None] | None:
    return parse_kind(name) if "/" in name else None


_NAMED = by_name("roles", 50, _read, count_steps=False)


def _find(trace: Trace) -> StageRanges | None:
    found = _NAMED.find(trace)
    if found is None:
        return None
    running = {found.roles[row] for row in np.flatnonzero(np.isin(found.stage, _RUNS)).tolist()}
    return found if len(running) > 1 else None


SOURCE = StageSource(markers=_NAMED.markers, rank=_NAMED.rank, find=_find)

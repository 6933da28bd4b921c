"""What was drafted while the target still processed its prompt.

Only work that need not wait for the prompt's counts: asked for by another thread, or run on another stream. Drafts of
one thread on one stream come before the prompt or behind it, whatever their ranges are in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct
from tracer.document.names import ALL_STAGES, DECODE, DRAFT, PREFILL, PROJECTOR, TARGET, VISION
from tracer.document.summary import BeforePrefill

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.arrays import I64
    from tracer.measure.runs import Runs
    from tracer.measure.speculating.rounds import Parts

_DRAFT, _DECODE, _PREFILL = map(ALL_STAGES.index, (DRAFT, DECODE, PREFILL))
_PROMPT = tuple(map(ALL_STAGES.index, (VISION, PROJECTOR, PREFILL)))


def before_prefill(runs: Runs, rounds: Sequence[Parts], drafted: Mapping[int, int]) -> BeforePrefill | None:
    """Count it over requests; None where no request is known to have both.

    Args:
        runs: of the stages.
        rounds: of the trace.
        drafted: tokens of each round, by its check's range, as far as they are known.
    """
    ranges = runs.ranges
    roles = np.array(ranges.roles or ("",) * len(ranges), dtype=np.str_)
    makes = ((ranges.stage == _DRAFT) | (ranges.stage == _DECODE)) & (roles == DRAFT)
    of_round = {row: one for one in rounds for row in one.drafts}
    requests = drafts = 0
    tokens: int | None = 0
    for request in distinct(ranges.request):
        own = ranges.request == request
        prompt = int64(np.flatnonzero(own & np.isin(ranges.stage, _PROMPT) & (roles == TARGET)))
        made = int64(np.flatnonzero(own & makes))
        if not len(made) or not (ranges.stage[prompt] == _PREFILL).any():
            continue
        requests += 1
        early = _beside(runs, prompt, made)
        drafts += len(early)
        for row in early.tolist():
            count = _tokens(runs, row, of_round.get(row), drafted)
            tokens = None if tokens is None or count is None else tokens + count
    return BeforePrefill(requests=requests, drafted_tokens=tokens, drafts=drafts) if requests else None


def _beside(runs: Runs, prompt: I64, made: I64) -> I64:
    """Drafts that were over before a prompt was, and did not have to wait for it."""
    begun_ns, over_ns = int(runs.start_ns[prompt].min()), int(runs.end_ns[prompt].max())
    early = made[(runs.end_ns[made] <= over_ns) & (runs.end_ns[made] > begun_ns)]
    held = _lanes(runs, prompt)
    return int64([row for row in early.tolist() if not held & _lanes(runs, int64([row]))])


def _lanes(runs: Runs, own: I64) -> set[tuple[int, int, int]]:
    """Threads that asked, with the devices and streams that worked for them; of ranges without work, their threads."""
    rows, work = runs.rows(own), runs.work
    if not len(rows):
        return {(thread, -1, -1) for thread in distinct(int64(runs.ranges.thread[own]))}
    columns = (work.call_thread[rows], work.device[rows], work.track[rows])
    return set(zip(*(column.tolist() for column in columns), strict=True))


def _tokens(runs: Runs, row: int, of_round: Parts | None, drafted: Mapping[int, int]) -> int | None:
    """Tokens that a draft proposed: a step of the draft one; a range all of its round's, if it is the only one."""
    if runs.ranges.stage[row] == _DECODE:
        return 1
    if runs.ranges.passes and runs.ranges.passes[row] > 0:
        return runs.ranges.passes[row]
    return drafted.get(of_round.check) if of_round is not None and len(of_round.drafts) == 1 else None

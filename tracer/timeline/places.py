"""Where on the timeline a finding shows: by the evidence that it names, else by the stage that its rule is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.arrays import int64
from tracer.document.names import ALL_STAGES, DECODE, PREFILL, VISION
from tracer.document.timeline import Place

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.work import Work
    from tracer.document.summary import Finding
    from tracer.measure.runs import Runs

# Of rules whose evidence names no stage.
ABOUT = {
    "clock-or-thermal-drift": DECODE,
    "frames-encoded-one-by-one": VISION,
    "host-to-device-copies-in-decode": DECODE,
    "kv-growth": DECODE,
    "slow-first-token": DECODE,
    "sync-per-token": DECODE,
    "vision-reencoded": PREFILL,
    "visual-tokens-dominate-prefill": PREFILL,
}
# The first run shows it, not the one that takes the longest.
FIRST = ("slow-first-token",)
OUTSIDE, OVERLAP = "low-coverage", "same-stream-overlap"


def place_of(finding: Finding, runs: Runs, work: Work, origin_ns: int) -> Place | None:
    """Where a finding shows; None where no single place of the trace does."""
    row = _row(finding, runs)
    if row is not None:
        return _run(runs, row, origin_ns)
    if finding.id == OUTSIDE:
        return _op(work, int64(np.flatnonzero(work.stage < 0)), "the longest op of no stage", origin_ns)
    if finding.id == OVERLAP:
        return _op(work, _overlapping(work), "the longest op that begins before the one in front of it ends", origin_ns)
    return None


def _row(finding: Finding, runs: Runs) -> int | None:
    """The stage range that shows it: one of which all is known, if there is any."""
    evidence = finding.evidence
    if (step := _step(evidence, runs)) is not None:
        return step
    stage = _stage(evidence) or ABOUT.get(finding.id)
    if stage not in ALL_STAGES or not len(own := runs.of(stage)):
        return None
    own = known if len(known := runs.whole(own)) else own
    if finding.id in FIRST:
        return int(own[np.argmin(runs.start_ns[own])])
    return int(own[np.argmax((runs.end_ns - runs.start_ns)[own])])


def _step(evidence: dict[str, Any], runs: Runs) -> int | None:
    """The first decode step that is named."""
    steps = evidence.get("steps")
    if not isinstance(steps, list) or not steps:
        return None
    request, index = steps[0]
    decode = runs.ranges.stage == ALL_STAGES.index(DECODE)
    found = np.flatnonzero(decode & (runs.ranges.request == request) & (runs.ranges.index == index))
    return int(found[0]) if len(found) else None


def _stage(evidence: dict[str, Any]) -> str | None:
    """The first stage that is named."""
    if isinstance(stage := evidence.get("stage"), str):
        return stage
    for key in ("stages", "ratios"):
        if named := list(evidence.get(key) or ()):
            return str(named[0])
    return None


def _run(runs: Runs, row: int, origin_ns: int) -> Place:
    code, index = int(runs.ranges.stage[row]), int(runs.ranges.index[row])
    what = ALL_STAGES[code] + (f" step {index}" if index >= 0 else "")
    return Place(start_ns=int(runs.start_ns[row]) - origin_ns, end_ns=int(runs.end_ns[row]) - origin_ns, what=what)


def _op(work: Work, rows: I64, what: str, origin_ns: int) -> Place | None:
    if not len(rows):
        return None
    row = rows[np.argmax(work.time_ns[rows])]
    return Place(start_ns=int(work.start_ns[row]) - origin_ns, end_ns=int(work.end_ns[row]) - origin_ns, what=what)


def _overlapping(work: Work) -> I64:
    """Ops that begin before the one in front of them on their stream ends."""
    order = np.lexsort((work.start_ns, work.track, work.device))
    same = (work.track[order][1:] == work.track[order][:-1]) & (work.device[order][1:] == work.device[order][:-1])
    return int64(order[1:][same & (work.start_ns[order][1:] < work.end_ns[order][:-1])])

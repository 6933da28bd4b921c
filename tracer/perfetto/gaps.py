"""The gaps in which a device waited, in pieces by cause.

A gap lasts from the end of all that ran before to the start of the op that ends it. It is drawn in two pieces at most,
cut where that op was asked for: before, the host had not asked yet, or waited itself; behind, the launch was on its
way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.work import Work

CAUSES = ("host", "sync", "launch", "unknown", "between requests")


@dataclass(frozen=True, slots=True)
class Gaps:
    """Pieces of gaps, in the order of their start.

    Attributes:
        row: the op that ends the gap, as a row of the work.
        start_ns, end_ns: of the piece.
        causes_ns: a column for each of CAUSES: how much of the piece is charged to it.
    """

    row: I64
    start_ns: I64
    end_ns: I64
    causes_ns: I64

    def __len__(self) -> int:
        return int(self.row.shape[0])

    @property
    def cause(self) -> I64:
        """Of each the cause that most of it has, as an index into CAUSES."""
        return int64(self.causes_ns.argmax(axis=1)) if len(self) else int64([])


def gaps(work: Work, rows: I64) -> Gaps:
    """The gaps that these pieces of work ended, which are those of one device."""
    rows = rows[work.gap_ns[rows] > 0]
    end = work.start_ns[rows]
    start = end - work.gap_ns[rows]
    nothing = np.zeros(len(rows), dtype=np.int64)
    known = np.asarray(work.call[rows] >= 0, dtype=np.bool_)
    # Without a launch the gap is one piece.
    called = np.where(known & (work.unknown_ns[rows] == 0), np.clip(work.call_start_ns[rows], start, end), end)
    host, sync, launch, unknown = work.host_ns[rows], work.sync_ns[rows], work.launch_ns[rows], work.unknown_ns[rows]
    asked = called - start
    before = np.stack([host, sync, nothing, unknown, asked - host - sync - unknown], axis=1)
    behind = np.stack([nothing, nothing, launch, nothing, end - called - launch], axis=1)
    both = np.concatenate([rows, rows])
    starts, ends = np.concatenate([start, called]), np.concatenate([called, end])
    causes = np.concatenate([before, behind])
    kept = np.flatnonzero(ends > starts)
    kept = kept[np.argsort(starts[kept], kind="stable")]
    return Gaps(both[kept], starts[kept], ends[kept], int64(causes[kept]))

"""All work of a trace, what of it belongs to no stage and why, and the time from its first to its last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.attribution import Reason
from tracer.charge.intervals import distinct, sum_by
from tracer.document.summary import Between, DeviceTime, DeviceTotals, Unattributed, Window
from tracer.document.summary import Reason as ReasonRow
from tracer.kernels.categories import by_category
from tracer.measure.idle import idle_of
from tracer.measure.kernels import kernel_rows
from tracer.packed import pieces
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from tracer.arrays import Bools
    from tracer.charge.lost import LostWork
    from tracer.charge.overlaps import Overlaps
    from tracer.charge.work import Work

NEEDS = Want.SUMMARY
_SUMMED = ("device", "start_ns", "end_ns", "busy_ns", "host_ns", "sync_ns", "launch_ns", "unknown_ns", "between_ns")


def window_of(work: Work) -> Window:
    """From the first start to the last end; nothing where there is no work."""
    if not len(work):
        return Window(start_ns=0, end_ns=0)
    return Window(start_ns=int(work.start_ns.min()), end_ns=int(work.end_ns.max()))


def device_totals(
    strings: list[str], work: Work, overlaps: Overlaps, lost: LostWork | None = None, *, staged: bool
) -> DeviceTotals:
    """Add up all work that was recorded.

    Args:
        strings: the trace's names.
        work: the trace's.
        overlaps: what overlapped on its own stream before anything was cut.
        staged: whether there are stages; without, kernels are listed here.
        lost: launches of which the work was not recorded, and the gaps in which it may have run: these are no idle time
            that is known.
    """
    in_gap = np.zeros(len(work), dtype=np.bool_) if lost is None else lost.in_gap
    time_ns = sum_by(int64(work.name), work.time_ns, len(strings))
    return DeviceTotals(
        kind=work.place,
        ops=len(work),
        time_ns=int(work.time_ns.sum()),
        busy_ns=int(work.busy_ns.sum()),
        idle_ns=None if in_gap.any() else int(work.gap_ns.sum()),
        unattributed=_unattributed(work, in_gap),
        between=Between(idle_ns=None if work.between_ns[in_gap].any() else int(work.between_ns.sum())),
        same_stream_overlap_ns=overlaps.time_ns,
        same_stream_overlaps=overlaps.ops,
        categories=by_category((strings[name], int(time_ns[name])) for name in distinct(work.name)),
        kernels=[] if staged else kernel_rows(strings, work, np.arange(len(work))),
        each=_each(work, in_gap) if work.on_device else [],
    )


def _each(work: Work, in_gap: Bools) -> list[DeviceTime]:
    """A row a device, by id."""
    devices = int64(distinct(work.device))
    counts, sums, at = int64(np.zeros(len(devices))), np.zeros((4, len(devices)), dtype=np.int64), 0
    for device, start_ns, end_ns, busy_ns, *gaps in zip(*(pieces(work, name) for name in _SUMMED), strict=True):
        place = np.searchsorted(devices, device)
        gap_ns = np.add.reduce(gaps)
        sums[:3] += [sum_by(place, column, len(devices)) for column in (end_ns - start_ns, busy_ns, gap_ns)]
        sums[3] += np.bincount(place[in_gap[at : at + len(place)]], minlength=len(devices))
        counts += np.bincount(place, minlength=len(devices))
        at += len(place)
    return [
        DeviceTime(id=device, ops=ops, time_ns=time_ns, busy_ns=busy_ns, idle_ns=None if unknown else gap_ns)
        for device, ops, time_ns, busy_ns, gap_ns, unknown in zip(
            devices.tolist(), counts.tolist(), *sums.tolist(), strict=True
        )
    ]


def _unattributed(work: Work, in_gap: Bools) -> Unattributed:
    outside = np.asarray(work.stage < 0, dtype=np.bool_)
    known = not (in_gap & outside).any()
    return Unattributed(
        ops=int(outside.sum()),
        time_ns=int(work.time_ns[outside].sum()),
        busy_ns=int(work.busy_ns[outside].sum()),
        idle_ns=int(work.idle_ns[outside].sum()) if known else None,
        idle=idle_of(work, outside) if known else None,
        reasons={
            reason.name.lower(): ReasonRow(ops=int(chosen.sum()), time_ns=int(work.time_ns[chosen].sum()))
            for reason in Reason
            if reason is not Reason.ATTRIBUTED
            for chosen in [work.reason == reason]
        },
    )

"""Work on several devices as time that passes: what each piece adds to the time in which any of them worked or waited.

The ledger charges each device's window by itself, so what runs on two devices at once is there twice. What a run
takes passes once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct, running_end

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.charge.work import Work


def together(work: Work, shared: list[list[int]]) -> tuple[I64, I64]:
    """Busy and idle time of each piece of work, in nanoseconds, as if devices that share runs were one device.

    An instant in which several of them work goes to what started first. A gap is one of all of them, and no longer
    than its own device's, so that nothing counts before a device's window or between captures. Devices that no run has
    in common stay apart, as do those of several ranks: each takes its own time.

    Args:
        work: the trace's.
        shared: devices that are one, as `groups` finds them.
    """
    busy, idle = work.busy_ns, work.idle_ns
    for devices in shared:
        rows = np.flatnonzero(np.isin(work.device, devices))
        rows = rows[np.lexsort((rows, work.start_ns[rows]))]
        start, end = work.start_ns[rows], work.end_ns[rows]
        reach = running_end(end)
        reach[0] = start[0]
        busy, idle = busy.copy(), idle.copy()
        busy[rows] = np.maximum(end - np.maximum(start, reach), 0)
        idle[rows] = np.minimum(np.maximum(start - reach, 0), work.idle_ns[rows])
    return busy, idle


def groups(run: I64, device: I64) -> list[list[int]]:
    """The devices that share runs, two or more together; each is in one list at most.

    Args:
        run: of each piece of work; negative for none.
        device: where it ran.
    """
    if len(devices := distinct(device)) < 2:
        return []
    held = np.asarray(run >= 0, dtype=np.bool_)
    group = {one: one for one in devices}
    for first, second in _neighbours(run[held], device[held]):
        old, new = group[second], group[first]
        group = {one: new if of == old else of for one, of in group.items()}
    found = [[one for one in devices if group[one] == of] for of in distinct(int64(list(group.values())))]
    return [members for members in found if len(members) > 1]


def _neighbours(run: I64, device: I64) -> list[tuple[int, int]]:
    """The different pairs of devices that follow one another in a run."""
    order = np.lexsort((device, run))
    run, device = run[order], device[order]
    apart: Bools = (run[1:] == run[:-1]) & (device[1:] != device[:-1])
    return list(dict.fromkeys(zip(device[:-1][apart].tolist(), device[1:][apart].tolist(), strict=True)))


def devices_of_a_run(run: I64, device: I64) -> int:
    """The most devices that one run used; 0 of none."""
    order = np.lexsort((device, run))
    run, device = run[order], device[order]
    first = np.ones(len(run), dtype=np.bool_)
    first[1:] = (run[1:] != run[:-1]) | (device[1:] != device[:-1])
    used = run[first]
    return (
        int(np.diff(np.flatnonzero(np.append(np.append(True, used[1:] != used[:-1]), True))).max()) if len(used) else 0
    )

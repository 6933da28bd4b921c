"""Whether the code is slow that launches, or the machine: the host's time for a launch against the least it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import LOAD, PREPROCESS
from tracer.document.summary import CODE, MACHINE, MUCH, HostTime, Launching, StageLaunches
from tracer.peaks.launches import floor_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.manifest import Manifest
    from tracer.document.summary import Stage


def launching(manifest: Manifest | None, stages: Sequence[Stage]) -> Launching | None:
    """What a launch takes the host in stages whose device mostly waits for it.

    Args:
        manifest: says on which machine that was; a trace without one does not.
        stages: with their host's layers.
    """
    if manifest is None:
        return None
    device, host = str(manifest.device.get("name", "")), str(manifest.device.get("host", ""))
    floor_ns = floor_of(device, host) if host else None
    found = [row for stage in stages if (row := _row(stage, floor_ns)) is not None]
    return Launching(device=device, host=host, floor_ns=floor_ns, stages=found) if found else None


def _row(stage: Stage, floor_ns: float | None) -> StageLaunches | None:
    host, launches = stage.host, stage.counts.launches
    if not isinstance(host, HostTime) or not launches or stage.stage in (LOAD, PREPROCESS):
        return None
    if stage.idle is None or stage.busy_ns is None or 2 * stage.idle.host_ns <= stage.busy_ns + stage.idle.total_ns:
        return None
    asking_ns = host.launch_ns + (host.dispatch_ns or 0) + (host.python_ns or 0) + host.untold_ns
    each_ns = asking_ns / launches / (host.slowed or 1.0)
    told = floor_ns is not None and host.slowed is not None
    return StageLaunches(
        stage=stage.stage,
        launches=launches / max(1, stage.runs),
        each_ns=each_ns,
        clean=host.slowed is not None,
        slow=(CODE if each_ns >= MUCH * (floor_ns or 0) else MACHINE) if told else None,
    )

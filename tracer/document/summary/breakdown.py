"""Device time by something else than the stage alone."""

from __future__ import annotations

import msgspec

from tracer.document.summary.host import HostRow


class LaunchedAs(msgspec.Struct, frozen=True, kw_only=True):
    """A way in which kernels of one name were launched; None is what the trace does not say.

    Attributes:
        grid, block: blocks, and threads of each, by dimension.
        registers: of a thread.
        shared_bytes: shared memory of a block, static and dynamic.
        occupancy: share of the warps that a multiprocessor could hold, estimated by the profiler.
        count, time_ns: of the kernels that were launched so.
    """

    grid: tuple[int, int, int] | None
    block: tuple[int, int, int] | None
    registers: int | None
    shared_bytes: int | None
    occupancy: float | None
    count: int
    time_ns: int


class BreakdownRow(msgspec.Struct, frozen=True, kw_only=True):
    """Device time of one name in one stage; `stage` is "" outside all.

    By "kernel", `launches` are the ways in which it was launched, the most time first, and `launched_otherwise` how
    many more there are; none where the trace does not say.
    """

    stage: str
    name: str
    ops: int
    device_time_ns: int
    busy_ns: int
    launches: list[LaunchedAs] = []
    launched_otherwise: int = 0


class RecordedRuns(msgspec.Struct, frozen=True, kw_only=True):
    """Of a stage that lacks device ops: `runs` of its `of_runs` runs lack none."""

    stage: str
    runs: int
    of_runs: int


class Breakdown(msgspec.Struct, frozen=True, kw_only=True):
    """All device time by stage and by something else; the rows add up to it, less what `in_part` says.

    Attributes:
        by: "op", "module", "layer", "kernel", "category", "stream" or "host".
        rows: stage by stage, the most time first; none by "host", which is no device time.
        by_external_id: ops whose operator is known by its External id alone, as none was open at the launch.
        meaning: what `by` stands for, in words.
        wrong_external_ids: External ids of ops that name an operator which was not open at the launch.
        graph_ops: by "op", "module" and "layer", ops that were launched as graphs.
        graph_ops_named: of these, those of which it is known from where they were captured.
        in_part: stages of which launches lack their device ops: their rows are of the runs that lack none.
        host: by "host", the launching threads' time in the stages, the most time first; it adds up to their `cpu_ns`.
    """

    by: str
    rows: list[BreakdownRow]
    by_external_id: int = 0
    wrong_external_ids: int = 0
    meaning: str = ""
    host: list[HostRow] = []
    graph_ops: int = 0
    graph_ops_named: int = 0
    in_part: list[RecordedRuns] = []

"""The timeline document: what a page draws of one trace, in columns that take little room.

A column is a list of integers as bytes: each in groups of seven bits, the lowest first, the eighth bit set on all but
the last (LEB128). Columns named in `DELTAS` hold each value's difference to the one before, its sign in the lowest bit
(zigzag). Times are nanoseconds behind `origin_ns`.
"""

from __future__ import annotations

import msgspec

# Columns of differences.
DELTAS = ("start", "run", "call")
# What a track holds.
STAGES, IDLE, STREAM, RANGES, CALLS, OPERATORS = "stages", "idle", "stream", "ranges", "calls", "operators"


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the timeline, or several where things lie within each other; sorted by start.

    Attributes:
        kind: one of those above.
        label: whose it is; untrusted.
        device: of a stream and of idle time; None of a host thread.
        items: what it holds.
        of: how many things of the trace these stand for: more than `items` where neighbours are drawn as one.
        columns: by name. Of every track `start`, `length` and `name` (index into the timeline's names). Of streams and
            operators `run` (item of the track of stages + 1, 0 outside all), `call` (number of the host call that
            launched it + 1, 0 without a record; calls are numbered through all tracks of calls) and `shape` (index into
            the timeline's shapes + 1, 0 where unknown); of streams where neighbours are drawn as one also `busy`. Of
            idle time `run` and the causes `host`, `sync`, `launch`, `unknown` and `between`, which add up to `length`.
            Of stages `stage` (index into the timeline's stages), `index` (of a decode step + 1), `request` (+ 1),
            `busy` and `idle`. Of calls `waits` (1 where it waits for the device). `count`, where neighbours are drawn
            as one: how many each stands for.
    """

    kind: str
    label: str
    device: int | None
    items: int
    of: int
    columns: dict[str, bytes]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where on the timeline something shows, and what stands there."""

    start_ns: int
    end_ns: int
    what: str


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How a kernel was launched; None is what the trace does not say.

    Attributes:
        grid, block: blocks, and threads of each, by dimension.
        registers: of a thread.
        shared_bytes: of a block.
        occupancy: share of the warps that a multiprocessor could hold, estimated by the profiler.
        count, time_ns: of the kernels that were launched so.
    """

    grid: tuple[int, int, int] | None
    block: tuple[int, int, int] | None
    registers: int | None
    shared_bytes: int | None
    occupancy: float | None
    count: int = 0
    time_ns: int = 0


class KernelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One kernel (or operator) in one stage.

    Attributes:
        name: untrusted.
        stage: "" outside all.
        category: by its name.
        count, time_ns: of all.
        longest: the longest of them.
        launches: how they were launched, those with the most time first, and no more than a few.
        launched_otherwise: how many more ways there are.
    """

    name: str
    stage: str
    category: str
    count: int
    time_ns: int
    longest: Place
    launches: list[Launch] = []
    launched_otherwise: int = 0


class StageBand(msgspec.Struct, frozen=True, kw_only=True):
    """Ranges of one stage that follow each other, on the host."""

    stage: str
    start_ns: int
    end_ns: int


class MemoryCurve(msgspec.Struct, frozen=True, kw_only=True):
    """What is allocated on a device over time.

    Attributes:
        process, device: whose; the process is untrusted.
        start_ns, end_ns: of the curve, on the timeline's clock; allocations may lie before its first track.
        before_bytes: allocated before the first change.
        times_ns, total_bytes: changes, and what was allocated behind each; the highest is among them.
        changes: of the trace; more than there are here where only the highest and lowest of each stretch are.
        bands: stages meanwhile.
        bands_left_out: short ones that are not among them.
    """

    process: str
    device: int
    start_ns: int
    end_ns: int
    before_bytes: int
    times_ns: list[int]
    total_bytes: list[int]
    changes: int
    bands: list[StageBand]
    bands_left_out: int


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """All that is drawn of one trace.

    Attributes:
        origin_ns: the first instant of any track, on the trace's clock.
        length_ns: to the last.
        names: of ops, calls and ranges; untrusted.
        categories: of each name that work has, its category; "" of the others.
        stages: names of stages, of those in which several models work as MODEL/STAGE too.
        shapes: how kernels were launched.
        tracks: from top to bottom.
        left_out: tracks that are not drawn, as others have more on them.
        places: of each finding of the summary, in its order, where it shows; None where no place shows it.
        kernels: by time, the most first.
        kernels_left_out: rows of `kernels` that are left out, and their time.
        memory: of each device whose allocator was recorded.
    """

    origin_ns: int
    length_ns: int
    names: list[str]
    categories: list[str]
    stages: list[str]
    shapes: list[Launch]
    tracks: list[Track]
    left_out: int
    places: list[Place | None]
    kernels: list[KernelRow]
    kernels_left_out: tuple[int, int] = (0, 0)
    memory: list[MemoryCurve] = []

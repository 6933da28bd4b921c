"""The columnar trace that every reader produces and every analysis reads.

Times are integer nanoseconds on the trace's own clock, half-open intervals [start, end). Names are indices
into `Trace.strings`, threads into `Trace.threads`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

from tracer.arrays import int32, int64
from tracer.packed import chosen, kept, narrow_columns

if TYPE_CHECKING:
    from tracer.arrays import I8, I32, I64, Bools
    from tracer.document.graphs import CapturedGraph
    from tracer.document.manifest import Manifest
    from tracer.trace.collectives import Collectives, Distributed
    from tracer.trace.origin import Origin
    from tracer.trace.part import Part

# In place of an id or a time that is not there. Readers refuse numbers near it, so that no real one can be mistaken for
# it: times may be negative, and ids may be 0 or -1.
MISSING = -(1 << 63)
NO_CORRELATION = MISSING
# Stream of an op whose file does not tell streams apart.
NO_STREAM = MISSING
# Thread of a range that begins on one and ends on another.
NO_THREAD = -1
# Host and device stamp times by clocks of their own, which are brought together to a microsecond or so.
JITTER_NS = 5_000


def stream_name(stream: int) -> str:
    """What a stream is called."""
    return "a stream not told" if stream == NO_STREAM else f"stream {stream}"


class Want(IntFlag):
    """What a reader is asked for; what is not asked for costs nothing."""

    OPS = 1
    CALLS = 2
    RANGES = 4
    CPU_OPS = 8
    FLOWS = 16
    MODULES = 32
    DETAILS = 128  # what operators and their work say of themselves: `Details`
    FRAMES = 64  # a read of its own: modules are frames too, of another kind
    SOME_FRAMES = 1 << 13  # with MODULES: `SampledFrames`
    MODULES_IF_STACKED = 1 << 10  # modules, if the head of the file says that stacks were recorded, by others than us
    LAUNCHED = 256  # how kernels were launched: `Launched`
    COLLECTIVES = 512  # which collective a kernel is: `Collectives`
    ASKERS = 1 << 12  # of very many CPU operators those that say who asked for work; with DETAILS
    MEMORY = 1 << 11  # what the allocators of devices gave and took back: `MemoryEvents`
    SUMMARY = OPS | CALLS | RANGES


NOTHING = Want(0)


class OpKind(IntEnum):
    """What a device op is."""

    KERNEL = 0
    MEMCPY = 1
    MEMSET = 2
    GRAPH = 3


@narrow_columns
@dataclass(frozen=True, slots=True)
class DeviceOps:
    """Work on a device: kernels, copies, fills.

    Attributes:
        start_ns, end_ns: when it ran.
        name: index into strings.
        kind: an `OpKind`.
        device: the device's id, as the trace numbers it; of ranks that were joined in one file and number their
            devices alike, another for each.
        stream: the stream's id; NO_STREAM where nothing tells.
        correlation: what joins it to the host call that launched it; NO_CORRELATION if unknown.
        size_bytes: bytes moved by a copy or fill; 0 where unknown.
    """

    start_ns: I64
    end_ns: I64
    name: I32
    kind: I8
    device: I64
    stream: I64
    correlation: I64
    size_bytes: I64

    def __len__(self) -> int:
        return len(kept(self, "start_ns"))

    def __getitem__(self, rows: I64 | Bools) -> DeviceOps:
        return chosen(self, rows)


@narrow_columns
@dataclass(frozen=True, slots=True)
class HostCalls:
    """Calls into the device's runtime or driver: launches, copies, synchronisation."""

    start_ns: I64
    end_ns: I64
    name: I32
    thread: I32
    correlation: I64

    def __len__(self) -> int:
        return len(kept(self, "start_ns"))


@narrow_columns
@dataclass(frozen=True, slots=True)
class Spans:
    """Named intervals on a host thread: annotations, or CPU operators."""

    start_ns: I64
    end_ns: I64
    name: I32
    thread: I32

    @classmethod
    def none(cls) -> Spans:
        """No intervals at all."""
        return cls(int64([]), int64([]), int32([]), int32([]))

    def __len__(self) -> int:
        return len(kept(self, "start_ns"))

    def __getitem__(self, rows: I64 | Bools) -> Spans:
        return chosen(self, rows)


@dataclass(frozen=True, slots=True)
class SampledFrames:
    """Some of the Python frames of a large file; `trace.sampled` says which.

    Attributes:
        frames: as `Trace.frames`; all that hold a time of a window are among them.
        windows: intervals of threads; their names mean nothing.
    """

    frames: Spans
    windows: Spans


@narrow_columns
@dataclass(frozen=True, slots=True)
class Details:
    """What an event's arguments say beyond its time.

    Attributes:
        of_op, of_call, of_operator: the profiler's "External id" of each op, call and CPU operator, which is that of
            the operator; NO_CORRELATION where there is none. Of calls they are kept if some op has none of its own.
        shape: of each CPU operator, index into shapes; -1 where none was recorded.
        shapes: its inputs' "Input Dims", "Input type" and "Concrete Inputs", JSON as it stands in the file.
    """

    of_op: I64
    of_call: I64
    of_operator: I64
    shape: I32
    shapes: list[tuple[bytes, bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchShape:
    """How a kernel was launched; None is what the file does not say.

    Attributes:
        grid, block: blocks, and threads of each, by dimension.
        registers: of a thread.
        shared_bytes: shared memory of a block, static and dynamic.
        occupancy: an estimate of the warps that a multiprocessor holds, as a share of what it could: the profiler's, or
            by the limits of the device.
    """

    grid: tuple[int, int, int] | None = None
    block: tuple[int, int, int] | None = None
    registers: int | None = None
    shared_bytes: int | None = None
    occupancy: float | None = None


@narrow_columns
@dataclass(frozen=True, slots=True)
class Launched:
    """How the device ops of a trace were launched.

    Attributes:
        of_op: of each device op, index into shapes; -1 where the file says nothing.
        shapes: the different ones.
        node: of each device op, which node of its graph it is; MISSING of others. None where the file tells none.
    """

    of_op: I64
    shapes: list[LaunchShape]
    node: I64 | None = None

    def __getitem__(self, rows: I64 | Bools) -> Launched:
        return Launched(self.of_op[rows], self.shapes, None if self.node is None else self.node[rows])


@narrow_columns
@dataclass(frozen=True, slots=True)
class MemoryEvents:
    """What allocators gave and took back, in the order in which they did.

    Attributes:
        time_ns: when.
        thread: of the host that asked.
        size_bytes: given; below 0 taken back.
        kind, device: which device's memory, as the profiler numbers kinds (0 is the host's) and devices.
        allocated_bytes, reserved_bytes: of that memory, behind this event; MISSING where the file does not say.
        address: where; MISSING likewise.
    """

    time_ns: I64
    thread: I32
    size_bytes: I64
    kind: I64
    device: I64
    allocated_bytes: I64
    reserved_bytes: I64
    address: I64

    @classmethod
    def none(cls) -> MemoryEvents:
        """No events at all."""
        no = int64([])
        return cls(no, int32([]), no, no, no, no, no, no)

    def __len__(self) -> int:
        return len(kept(self, "time_ns"))

    def __getitem__(self, rows: I64 | Bools) -> MemoryEvents:
        return chosen(self, rows)


@dataclass(frozen=True, slots=True)
class Unread:
    """A file whose work is not read: by whose format, and what to do. Then a trace has no rows at all.

    Attributes:
        producer: what wrote it, as far as the file tells.
        reason: why it is not read, in words.
        next_step: what to do.
    """

    producer: str
    reason: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the trace; bandwidth in bytes a second, where the file says it."""

    id: int
    name: str
    memory_bandwidth: int | None = None
    multiprocessors: int | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """One trace, whatever file it came from.

    Attributes:
        path: where it was read from.
        format: "chrome" or "nsight".
        producer: what wrote it, as far as the file says.
        events: events in the file, wanted or not.
        strings: the names.
        threads: (process, thread) ids as the file spells them.
        devices: the devices that the file describes.
        ops, calls, ranges, cpu_ops: the columns; those not asked for are empty. Where `had` has no CPU_OPS, the
            operators may be `Want.ASKERS` alone.
        modules: forward calls of `nn.Module`s, by class and number (`Linear_3`).
        generation: calls of transformers' `generate` and of those of its functions by which its passes are told, by the
            line they begin at; read with the modules.
        details: ids and shapes, where asked for.
        launched: how kernels were launched, where asked for.
        collectives: which collective each kernel is, where asked for.
        distributed: which rank of which run the file says it is.
        frames: calls of Python functions, by the line they begin at (`run.py(12): main`), torch's own left out, and of
            those built-in ones that may wait for a device.
        sampled: some of these, where modules were read of a large file.
        stacks: whether the profiler recorded Python frames or modules.
        loose_ranges: ranges that belong to no thread's stack, as they may end on another thread; they enclose nothing.
        captures: start of each interval in which the profiler was on, in order; a file that joins several
            recordings has several. Time between captures belongs to nobody.
        manifest: what our own recorder said about the run.
        warnings: what was read around, in words.
        process_of_device: the process (as in `threads`) that a device worked for, by the device's id, where the file
            tells: of ranks joined in one file.
        untimed: device ops that were left out because they have no usable time.
        unread: set where the file holds work in a form that is not read.
        own_tracks_bytes: text of the tracks that tracer itself put into the file; they are left out of all else.
        torn: whether the file ends before it should.
        operators: CPU operators that were read beside the rest, for what the host does alone; None where they were not.
        memory: what allocators did, where it was read; None where it was not.
        memory_recorded: whether the profiler's own words are that it recorded memory.
        part: what of a whole the file is, where it was cut out of one.
        graphs: what was captured in the graphs that it replays, as far as another trace says it; None where none was
            asked.
        origin: where and when it was made, as far as the file says it.
        stopped: intervals in which a thread slept, waited for another, or was off its processor, by what they are
            called; None where nothing read of the file tells any.
        had: what was asked for and read, if the reader leaves anything out.
    """

    path: str
    format: str
    producer: str
    events: int
    strings: list[str]
    threads: list[tuple[str, str]]
    devices: list[Device]
    ops: DeviceOps
    calls: HostCalls
    ranges: Spans
    cpu_ops: Spans
    captures: I64
    modules: Spans = field(default_factory=Spans.none)
    generation: Spans = field(default_factory=Spans.none)
    frames: Spans = field(default_factory=Spans.none)
    sampled: SampledFrames | None = None
    details: Details | None = None
    launched: Launched | None = None
    collectives: Collectives | None = None
    distributed: Distributed | None = None
    stacks: bool = False
    loose_ranges: Spans = field(default_factory=Spans.none)
    manifest: Manifest | None = None
    warnings: list[str] = field(default_factory=list)
    had: Want = NOTHING
    process_of_device: dict[int, str] = field(default_factory=dict)
    unread: Unread | None = None
    untimed: int = 0
    own_tracks_bytes: int = 0
    torn: bool = False
    operators: Spans | None = None
    memory: MemoryEvents | None = None
    memory_recorded: bool = False
    part: Part | None = None
    graphs: list[CapturedGraph] | None = None
    origin: Origin | None = None
    stopped: Spans | None = None


def without_rows(trace: Trace, unread: Unread) -> Trace:
    """A trace of which nothing may be said but that it is not read: figures of a part of it would be taken for all."""
    none = int64([])
    return Trace(
        path=trace.path,
        format=trace.format,
        producer=unread.producer or trace.producer,
        events=trace.events,
        strings=[],
        threads=[],
        devices=[],
        ops=trace.ops[none],
        calls=HostCalls(none, none, int32([]), int32([]), none),
        ranges=Spans.none(),
        cpu_ops=Spans.none(),
        captures=none,
        warnings=trace.warnings,
        unread=unread,
        origin=trace.origin,
        own_tracks_bytes=trace.own_tracks_bytes,
        torn=trace.torn,
    )

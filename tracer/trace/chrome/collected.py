"""The columns of a whole file, closed and numbered."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.arrays import compact, int32, int64
from tracer.document.words import counted, unended
from tracer.packed import Narrow
from tracer.trace.chrome import communication
from tracer.trace.chrome.categories import Group
from tracer.trace.chrome.flows import Flows
from tracer.trace.chrome.launched import Shape, parsed
from tracer.trace.collectives import Collectives
from tracer.trace.columns import MISSING, NO_CORRELATION, Details, DeviceOps, HostCalls, Launched, MemoryEvents, Spans
from tracer.trace.names import cut
from tracer.trace.untimed import left_out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer.arrays import I32, I64
    from tracer.trace.chrome.communication import Kind
    from tracer.trace.chrome.events import Id


class Numbering(dict[Any, int]):
    """Gives each new key the next number."""

    def __missing__(self, key: Any) -> int:
        self[key] = number = len(self)
        return number


def threads_of(tracks: Iterable[tuple[Id, Id]]) -> tuple[I32, list[tuple[str, str]]]:
    """The thread of each track, and the threads: the same id may be written as a number here and as a string there."""
    numbering = Numbering()
    thread = int32([numbering[cut(str(pid)), cut(str(tid))] for pid, tid in tracks])
    return thread, list(numbering)


class Columns:
    """The collected columns, closed and numbered.

    Attributes:
        strings, threads, op_tracks: what is numbered.
        all_operators: whether all CPU operators are here, and not those alone that say who asked for work.
    """

    def __init__(
        self,
        names: dict[str, int],
        tracks: dict[tuple[Id, Id], int],
        op_tracks: dict[tuple[Id, Id], int],
        rows: dict[Group, list[Any]],
        skipped: Counter[str],
        untimed: Counter[tuple[str, str]],
        shapes: list[tuple[bytes, bytes, bytes]],
        launches: list[Shape],
        kinds: list[Kind] | None,
        *,
        all_operators: bool = True,
    ) -> None:
        self.strings = list(names)
        self.all_operators = all_operators
        self._skipped = skipped
        self._untimed = untimed
        self._thread_of_track, self.threads = threads_of(tracks)
        self.op_tracks = [(cut(str(pid)), cut(str(tid))) for pid, tid in op_tracks]
        self._rows = rows
        self._shapes = shapes
        self._launches = launches
        self._kinds = kinds
        self._unended = 0
        self._close_ranges()

    def _close_ranges(self) -> None:
        end = self._rows[Group.RANGE][1].whole()
        still_open = end == np.iinfo(np.int64).max
        if not still_open.any():
            return
        timed = [columns for group, columns in self._rows.items() if group is not Group.FLOW]
        ends = (columns[1].whole() for columns in timed)
        closed = [column[column != np.iinfo(np.int64).max] for column in ends]
        starts = self._rows[Group.RANGE][0].whole()
        latest = max([int(part.max()) for part in (*closed, starts) if len(part)])
        self._rows[Group.RANGE][1] = Narrow.of(np.where(still_open, latest, end))
        self._unended = int(still_open.sum())

    def ops(self) -> DeviceOps:
        """The device ops, with the devices and streams of their arguments, MISSING where they have none."""
        start, end, name, _, kind, device, stream, correlation, size = self._rows[Group.OP][:9]
        return DeviceOps(start, end, name, kind, device, stream, correlation, size)

    def track_of_op(self) -> I32:
        """The track of each op, an index into `op_tracks`."""
        return int32(self._rows[Group.OP][3].whole())

    def calls(self) -> HostCalls:
        """The host calls."""
        start, end, name, track, correlation = self._rows[Group.CALL][:5]
        return HostCalls(start, end, name, compact(self._thread_of_track[track.whole()]), correlation)

    def spans(self, group: Group) -> Spans:
        """Annotations, CPU operators, modules or frames."""
        start, end, name, track = self._rows[group][:4]
        return Spans(start, end, name, compact(self._thread_of_track[track.whole()]))

    def hosts(self) -> frozenset[tuple[str, str]]:
        """The threads that made calls, ran operators or opened ranges."""
        used = np.zeros(len(self._thread_of_track), dtype=np.bool_)
        for group in (Group.CALL, Group.RANGE, Group.CPU_OP):
            used[self._rows[group][3].whole()] = True
        return frozenset(self.threads[thread] for thread in self._thread_of_track[used].tolist())

    def details(self) -> Details:
        """Ids and shapes; of a collector that was asked for them."""
        *_, of_operator, shape = self._rows[Group.CPU_OP]
        of_op, of_call = self._rows[Group.OP][-1], self._rows[Group.CALL][-1]
        if not any((piece == NO_CORRELATION).any() for piece in of_op.pieces()):
            of_call = np.broadcast_to(np.int64(NO_CORRELATION), len(of_call))
        return Details(of_op, of_call, of_operator, shape, self._shapes)

    def launched(self) -> Launched:
        """How the device ops were launched; of a collector that was asked for it."""
        number, node = self._rows[Group.OP][9 + (self._kinds is not None) :][:2]
        told = any((piece != MISSING).any() for piece in node.pieces())
        return Launched(number, [parsed(shape) for shape in self._launches], node if told else None)

    def collectives(self) -> Collectives:
        """Which collective the device ops are; of a collector that was asked for it."""
        return Collectives(
            int64(self._rows[Group.OP][9].whole()), [communication.parsed(kind) for kind in self._kinds or []]
        )

    def flows(self) -> Flows:
        """The ends of arrows from launches to device ops."""
        time, is_end, number, track = (int64(column.whole()) for column in self._rows[Group.FLOW])
        return Flows(time, is_end, number, int64(self._thread_of_track[track]), self.threads)

    def memory(self) -> MemoryEvents:
        """What allocators did, in the order of time; of one time as the file has it."""
        time, _, _, track, *rest = (column.whole() for column in self._rows[Group.MEMORY])
        order = np.argsort(time, kind="stable")
        return MemoryEvents(time, self._thread_of_track[track], *rest)[order]

    def captures(self) -> I64:
        """Start of each interval in which a profiler was on; overlapping ones (several ranks) are one."""
        starts: list[int] = []
        reach: int | None = None
        start, end, _ = (column.whole() for column in self._rows[Group.CAPTURE])
        for low, high in sorted(zip(start.tolist(), end.tolist(), strict=True)):
            if reach is None or low >= reach:
                starts.append(low)
            reach = high if reach is None else max(reach, high)
        return int64(starts)

    @property
    def untimed(self) -> int:
        """How many device ops were left out because they have no usable time."""
        return self._untimed.total()

    def warnings(self) -> list[str]:
        """What was left out, in words."""
        skipped = sorted(self._skipped.items(), key=lambda item: (-item[1], item[0]))
        warnings = [f"{counted(count, 'event')} left out: {reason}" for reason, count in skipped]
        for reason in sorted({reason for reason, _ in self._untimed}):
            named = {name: count for (why, name), count in self._untimed.items() if why == reason}
            warnings.append(left_out(named, reason))
        if self._unended:
            warnings.append(unended(self._unended))
        return warnings

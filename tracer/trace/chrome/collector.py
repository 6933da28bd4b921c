"""From batches of events to columns."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.blocks import Packed, pack
from tracer.packed import Narrow, joined
from tracer.trace.chrome import askers, communication
from tracer.trace.chrome.categories import (
    MODULE_PREFIX,
    OP_KINDS,
    Group,
    groups,
    model_frame,
    passed_over,
    telling_frame,
)
from tracer.trace.chrome.collected import Columns, Numbering, threads_of
from tracer.trace.chrome.events import (
    NO_ARGS,
    NO_COLLECTIVE,
    NO_DETAILS,
    NOT_LAUNCHED,
    CollectiveArgs,
    DetailedArgs,
    Event,
    LaunchedArgs,
)
from tracer.trace.chrome.launched import shape_of
from tracer.trace.chrome.memory import memory_columns
from tracer.trace.chrome.numbers import ids, integers, nanoseconds
from tracer.trace.columns import (
    MISSING,
    NO_CORRELATION,
    Want,
)
from tracer.trace.limits import OverLimitError
from tracer.trace.memory import give_back_freed_pages
from tracer.trace.moments import open_at
from tracer.trace.names import cut
from tracer.trace.sampled import windows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracer.arrays import I64, Bools, Column
    from tracer.trace.moments import Moments

# No single event lasts three months; a duration beyond is damage, and sums of it would leave 64 bits.
LONGEST_NS = 1 << 53
NO_TIME, NO_DURATION = "no usable timestamp", "no usable duration"
NEGATIVE, ENDLESS = "negative duration", "duration of more than three months"
# How many columns each group has; the others have 4.
WIDTHS = {Group.OP: 9, Group.CALL: 5, Group.FLOW: 4, Group.CAPTURE: 3, Group.NONE: 3, Group.MEMORY: 10}
# Groups of events that are no intervals.
OF_A_MOMENT = (Group.FLOW, Group.MEMORY)
# How many columns `Want.DETAILS` adds.
DETAILED = {Group.OP: 1, Group.CALL: 1, Group.CPU_OP: 2}
OPEN_END = -1


class _Names(Numbering):
    """Numbers names: the one place where those of a Chrome trace become ours."""

    def __missing__(self, key: str) -> int:
        short = cut(key)
        return super().__missing__(key) if short is key else self[short]


class Collector:
    """Takes in batches of events and keeps the wanted columns, of so many events at most.

    One bad event never costs the good ones beside it: it is left out and counted in `skipped`, a device op in `untimed`
    by why and by its name.

    Args:
        want: what to keep.
        most_events: how many there may be; None for any number.
        at: of Python frames those are kept that were open at one of these times; all if None.
    """

    def __init__(self, want: Want, most_events: int | None = None, at: Moments | None = None) -> None:
        self._room = most_events
        self._at = at
        self.skipped: Counter[str] = Counter()
        self.untimed: Counter[tuple[str, str]] = Counter()
        self._groups = groups(want)
        self._detailed = bool(want & Want.DETAILS)
        self._shapes = Numbering()
        self._launched = bool(want & Want.LAUNCHED)
        self._launches = Numbering()
        self._communicates = bool(want & Want.COLLECTIVES)
        self._collectives = Numbering()
        self._names = _Names()
        self._tracks, self._op_tracks = Numbering(), Numbering()
        self._passed_over: dict[str, bool] = {}
        self._models: dict[str, bool] = {}
        self._some_frames = bool(want & Want.SOME_FRAMES)
        self._askers_alone = bool(want & Want.ASKERS) and not want & Want.CPU_OPS
        self._rows: dict[Group, list[tuple[int, list[Packed]]]] = {group: [] for group in Group}

    def add(self, events: Sequence[Event], place: int = 0) -> None:
        """Take in complete events (`ph` is X) of any category; `place` orders the batches of a file."""
        by_group: dict[Group, list[Event]] = {}
        find = self._groups.get
        for event in events:
            group = find(event.cat)
            if group is not None and group not in OF_A_MOMENT:
                by_group.setdefault(group, []).append(event)
        for group, chosen in by_group.items():
            self.add_group(group, chosen, place)

    def wanted(self, events: Iterable[Event]) -> int:
        """How many of these events would be read."""
        return sum(event.cat in self._groups for event in events)

    def add_moments(self, events: Sequence[Event]) -> None:
        """Take in the arrows from launches to device ops, and what allocators did, among these events."""
        for group in OF_A_MOMENT:
            self.add_group(group, [event for event in events if self._groups.get(event.cat) is group], 0)

    def add_group(self, group: Group, events: Sequence[Event], place: int, *, whole: bool = False) -> None:
        """Take in events that are all of one group.

        Args:
            group, events: these.
            place: of their batch.
            whole: whether, of modules, all frames that tell are among them which a text has.

        Raises:
            OverLimitError: they are more than there is room for.
        """
        self._make_room(len(events))
        if group is Group.FLOW:
            ends = [event for event in events if event.ph in ("s", "f")]
            self._keep(group, place, _flow_columns(ends, self._tracks))
            return
        if group is Group.MEMORY:
            self._keep(group, place, memory_columns(events, self._names, self._tracks))
            return
        if group is Group.CALL:
            events = [event for event in events if not self._ignored(event.name)]
        elif group is Group.MODULE:
            events = [event for event in events if self._of_model(event.name)]
        elif group is Group.FRAME:
            events = [event for event in events if telling_frame(event.name)]
        if not events:
            return
        start, end, usable = self._intervals(group, events)
        if not usable.all():
            events = [event for event, good in zip(events, usable.tolist(), strict=True) if good]
            start, end = start[usable], end[usable]
        names = self._names
        columns = [start, end, int64([names[event.name] for event in events])]
        if group is Group.OP:
            columns += self._op_columns(events)
            columns += self._collective_column(events) if self._communicates else []
            columns += self._launch_column(events) if self._launched else []
        elif group is not Group.CAPTURE:
            tracks = self._tracks
            columns.append(int64([tracks[event.pid, event.tid] for event in events]))
        if group is Group.CALL:
            columns.append(_correlations(events))
        if self._detailed:
            columns += self._details(group, events)
        if group is Group.FRAME and self._at is not None:
            thread_of_track, threads = threads_of(self._tracks)
            held = open_at(start, end, thread_of_track[columns[3]], threads, self._at)
            columns = [column[held] for column in columns]
        if whole:
            self._keep(Group.WINDOW, place, windows_of(start, columns[3]))
        self._keep(group, place, columns)

    def _keep(self, group: Group, place: int, columns: Sequence[I64]) -> None:
        self._rows[group].append((place, [pack(column) for column in columns]))

    def _make_room(self, count: int) -> None:
        if self._room is None:
            return
        self._room -= count
        if self._room < 0:
            raise OverLimitError("it holds more events than a packed file of its size can be believed to")

    def _ignored(self, name: str) -> bool:
        known = self._passed_over.get(name)
        if known is None:
            known = self._passed_over[name] = passed_over(name)
        return known

    def _of_model(self, name: str) -> bool:
        known = self._models.get(name)
        if known is None:
            telling = self._some_frames and telling_frame(name)
            known = self._models[name] = name.startswith(MODULE_PREFIX) or model_frame(name) or telling
        return known

    def _intervals(self, group: Group, events: Sequence[Event]) -> tuple[I64, I64, Bools]:
        """Start and end of each event, and which are usable."""
        start, has_start = nanoseconds([event.ts for event in events])
        duration, has_duration = nanoseconds([event.dur for event in events])
        if group is Group.RANGE:
            # A range that was never closed runs to the end of the trace, which is not known yet.
            open_ended = np.array([not bytes(event.dur) for event in events], dtype=np.bool_)
            duration[open_ended], has_duration[open_ended] = OPEN_END, True
        else:
            open_ended = np.zeros(len(events), dtype=np.bool_)
        negative = has_duration & (duration < 0) & ~open_ended
        endless = has_duration & (duration > LONGEST_NS)
        for reason, bad in (
            (NO_TIME, ~has_start),
            (NO_DURATION, has_start & ~has_duration),
            (NEGATIVE, has_start & negative),
            (ENDLESS, has_start & endless),
        ):
            rows = np.flatnonzero(bad).tolist()
            if group is Group.OP:
                self.untimed.update((reason, cut(events[row].name)) for row in rows)
            elif rows:
                self.skipped[reason] += len(rows)
        end = np.where(open_ended, np.iinfo(np.int64).max, start + duration)
        return start, int64(end), has_start & has_duration & ~negative & ~endless

    def _op_columns(self, events: Sequence[Event]) -> list[I64]:
        args = [event.args or NO_ARGS for event in events]
        tracks = self._op_tracks
        return [
            int64([tracks[event.pid, event.tid] for event in events]),
            int64([OP_KINDS[event.cat] for event in events]),
            ids([arg.device for arg in args], MISSING),
            ids([arg.stream for arg in args], MISSING),
            _correlations(events),
            integers([arg.bytes for arg in args], 0),
        ]

    def _launch_column(self, events: Sequence[Event]) -> list[I64]:
        """The number of how each was launched, -1 where nothing says it, and its node in a graph."""
        args = [event.args if isinstance(event.args, LaunchedArgs) else NOT_LAUNCHED for event in events]
        shapes = [shape_of(arg) for arg in args]
        numbers = int64([self._launches[shape] if any(shape) else -1 for shape in shapes])
        node = integers([arg.node for arg in args], MISSING)
        return [numbers, np.where(node > 0, node, MISSING)]

    def _collective_column(self, events: Sequence[Event]) -> list[I64]:
        """The number of the collective that each is, -1 where nothing says it."""
        args = [event.args if isinstance(event.args, CollectiveArgs) else NO_COLLECTIVE for event in events]
        kinds = [communication.kind_of(arg) for arg in args]
        return [int64([-1 if kind is None else self._collectives[kind] for kind in kinds])]

    def _details(self, group: Group, events: Sequence[Event]) -> list[I64]:
        """The external id of what has one, and the number of an operator's shape."""
        if group not in DETAILED:
            return []
        args = [event.args if isinstance(event.args, DetailedArgs) else NO_DETAILS for event in events]
        found = integers([arg.external for arg in args], NO_CORRELATION)
        lower = integers([arg.lower_external for arg in args], NO_CORRELATION)
        found = np.where(found > 0, found, lower)
        columns = [np.where(found > 0, found, NO_CORRELATION)]
        if group is Group.CPU_OP:
            shapes = self._shapes
            texts = [(bytes(arg.dims), bytes(arg.types), bytes(arg.concrete)) for arg in args]
            columns.append(int64([shapes[text] if text[0] else -1 for text in texts]))
        return columns

    def merge(self, other: Collector) -> None:
        """Take over another collector's rows."""
        new = {
            "name": int64([self._names[name] for name in other._names]),
            "track": int64([self._tracks[track] for track in other._tracks]),
            "op_track": int64([self._op_tracks[track] for track in other._op_tracks]),
            "shape": int64([*[self._shapes[shape] for shape in other._shapes], -1]),
            "launch": int64([*[self._launches[shape] for shape in other._launches], -1]),
            "kind": int64([*[self._collectives[kind] for kind in other._collectives], -1]),
        }
        for group, chunks in other._rows.items():
            numbered = self._numbered(group)
            for place, columns in chunks:
                for number, of in numbered.items():
                    columns[number] = pack(new[of][columns[number].unpacked()])
                self._rows[group].append((place, columns))
        self.skipped.update(other.skipped)
        self.untimed.update(other.untimed)

    def _numbered(self, group: Group) -> dict[int, str]:
        """Which columns of a group are numbers that a collector gave, and to what."""
        if group in (Group.FLOW, Group.WINDOW):
            return {3: "track"}
        found = {2: "name"}
        if group in (Group.CALL, Group.RANGE, Group.CPU_OP, Group.MODULE, Group.FRAME, Group.MEMORY):
            found[3] = "track"
        if group is Group.CPU_OP and self._detailed:
            found[5] = "shape"
        if group is Group.OP:
            found[3] = "op_track"
            if self._communicates:
                found[9] = "kind"
            if self._launched:
                found[9 + self._communicates] = "launch"
        return found

    def columns(self, events: int = 0) -> Columns:
        """All that was collected, in the order of the file; the collector is empty then.

        Of very many operators only `Askers`, where these alone were asked for and there is work that they asked for.

        Args:
            events: in the file, by which it is large or not.
        """
        many = self._count(Group.CPU_OP) > askers.MANY
        some = self._askers_alone and self._detailed and many and self._count(Group.OP) > 0
        if some:
            self._leave_askers()
            give_back_freed_pages(events)
        rows = {group: self._joined(group) for group in Group}
        kinds = list(self._collectives) if self._communicates else None
        told = (list(self._shapes), list(self._launches), kinds)
        return Columns(
            self._names, self._tracks, self._op_tracks, rows, self.skipped, self.untimed, *told, all_operators=not some
        )

    def _count(self, group: Group) -> int:
        return sum(columns[0].rows for _, columns in self._rows[group])

    def _leave_askers(self) -> None:
        def column(group: Group, number: int) -> Column:
            return joined((columns[number] for _, columns in self._rows[group]), np.int64).whole()

        thread_of_track, _ = threads_of(self._tracks)
        thread = thread_of_track[column(Group.CALL, 3)]
        ids = np.concatenate([column(Group.OP, -1), column(Group.CALL, -1)])
        chosen = askers.Askers(self._names, thread_of_track, column(Group.CALL, 0), thread, ids)
        del thread, ids
        for _, columns in self._rows[Group.CPU_OP]:
            kept = chosen.among(*(column.unpacked() for column in columns))
            columns[:] = [column.chosen(kept) for column in columns]

    def _joined(self, group: Group) -> list[Narrow]:
        width = WIDTHS.get(group, 4)
        width += DETAILED.get(group, 0) if self._detailed else 0
        width += (2 * self._launched + self._communicates) if group is Group.OP else 0
        # No longer kept here: of a large file the pieces are much memory beside the whole.
        chunks = [columns for _, columns in sorted(self._rows.pop(group), key=lambda chunk: chunk[0])]
        small = self._numbered(group)  # all of them are numbers of what there are few of
        kinds: list[type[np.int8 | np.int32 | np.int64]] = [np.int64] * width
        for number in small:
            kinds[number] = np.int32
        if group is Group.OP:
            kinds[4] = np.int8  # an `OpKind`
        return [joined((columns[number] for columns in chunks), kind) for number, kind in enumerate(kinds)]


def _flow_columns(events: Sequence[Event], tracks: Numbering) -> tuple[I64, ...]:
    """Time, whether it is the arrow's end, its id, and its track."""
    time, usable = nanoseconds([event.ts for event in events])
    points = [event for event, good in zip(events, usable.tolist(), strict=True) if good]
    return (
        time[usable],
        int64([event.ph == "f" for event in points]),
        integers([event.id for event in points], MISSING),
        int64([tracks[event.pid, event.tid] for event in points]),
    )


def _correlations(events: Sequence[Event]) -> I64:
    return integers([(event.args or NO_ARGS).correlation for event in events], NO_CORRELATION)

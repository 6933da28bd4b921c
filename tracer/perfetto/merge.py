"""The traces of the ranks of one run in one file, on one timeline, with the tracks of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from tracer.charge.memory import device_lines
from tracer.document import manifest as manifests
from tracer.document.errors import InputError
from tracer.perfetto.annotate import layout_of, put_tracks
from tracer.perfetto.apart import Apart
from tracer.perfetto.events import NAME, Process
from tracer.perfetto.files import writer
from tracer.perfetto.parted import EVENTS, document_of, head_of, keys_of
from tracer.perfetto.place import PLAIN
from tracer.perfetto.tracks import tracks
from tracer.ranks.analyse import on_one_clock
from tracer.ranks.files import read_ranks
from tracer.summarize import charge, frames_of, read, summarize_charged
from tracer.trace import part
from tracer.trace.chrome import merged
from tracer.trace.chrome.events import UNREADABLE
from tracer.trace.chrome.layout import UnscannableError
from tracer.trace.chrome.reader import scan_shares
from tracer.trace.chrome.scanner import LAST_PLACE, SEPARATORS
from tracer.trace.source import BOM, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracer.choices import Choices
    from tracer.perfetto.parted import Keys
    from tracer.ranks.clocks import Clocks
    from tracer.ranks.rank import RankTrace
    from tracer.trace.chrome.layout import Layout
    from tracer.trace.chrome.scanner import Text

# Of one rank alone, or of one file.
_NOT_OF_ALL = (
    EVENTS,
    manifests.KEY,
    part.KEY,
    merged.KEY,
    "trace_id",
    "traceName",
    "deviceProperties",
    "distributedInfo",
)
_SEPARATOR = b",\n"


@dataclass(frozen=True, slots=True)
class MergedFile:
    """What was written.

    Attributes:
        ranks: whose events are in it.
        missing: ranks of the run of which there was no trace.
        events: of the traces.
        tracks: events that were added.
        residual_ns: how well the clocks are known, at worst; None where nothing was compared.
        apart: ranks that no collective joins to the first, so that their times are as their own clock has them.
        torn: paths of traces that end before their end.
        left_out: texts that are no event.
    """

    ranks: list[int]
    missing: list[int]
    events: int
    tracks: int
    residual_ns: int | None
    apart: list[int]
    torn: list[str]
    left_out: int


@dataclass(frozen=True, slots=True)
class _Member:
    """One rank in the file.

    Attributes:
        trace: what was read of it.
        place: among the ranks, from 0.
        later_ns: added to its times.
    """

    trace: RankTrace
    place: int
    later_ns: int

    @property
    def rank(self) -> int:
        """Its number."""
        return self.trace.rank or 0


def merge(paths: Sequence[Path], output: Path, choices: Choices) -> MergedFile:
    """Write the traces of ranks as one, its clock that of the first.

    Events are copied block by block; of one rank at a time what its tracks are made of is held in memory.

    Args:
        paths: of the traces, one of each rank.
        output: the file to write; packed if it ends in `.gz`.
        choices: as for their summaries.

    Raises:
        InputError: they are not ranks of one run, one is no Chrome trace or a part of one, or the output cannot be
            written.
    """
    traces = read_ranks(paths, choices)
    _check(traces)
    _, clocks, _ = on_one_clock(traces)
    first = next(iter(traces.values()))
    members = [
        _Member(trace, place, trace.distributed.base_ns - first.distributed.base_ns - clocks.offset_ns[rank])
        for place, (rank, trace) in enumerate(traces.items())
    ]
    whole: set[int] = set()
    while True:
        try:
            return _write(members, clocks, output, choices, whole)
        except _UnscannableRankError as error:
            whole.add(error.rank)  # read it as one document, from the beginning
        except OSError as error:
            raise InputError(f"{output}: {error.strerror or error}") from None


class _UnscannableRankError(Exception):
    """A rank's trace is not laid out as its head promised."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self.rank = rank


def _check(traces: dict[int, RankTrace]) -> None:
    """Refuse what cannot be put into one file.

    Raises:
        InputError: there is such a trace.
    """
    for trace in traces.values():
        if trace.format != "chrome":
            raise InputError(
                f"{trace.path}: not a Chrome trace, which Perfetto opens; Nsight Systems shows several reports at once"
            )
        if not trace.alone:
            raise InputError(f"{trace.path}: it has several ranks already; tracer annotate adds tracks to it")
        if trace.is_part:
            raise InputError(f"{trace.path}: a part of a trace; merge the whole ones, and slice what that makes")


def _write(members: Sequence[_Member], clocks: Clocks, output: Path, choices: Choices, whole: set[int]) -> MergedFile:
    with writer(output) as file:
        metadata = [_metadata(member.trace.path, choices) for member in members]
        _put_keys(file, _joint(metadata, members, clocks, output))
        events = _Events(file)
        copied = [_copy(member, events, choices, ranks=len(members), whole=member.rank in whole) for member in members]
        added = (event for member in members for event in _tracks(member, choices))
        count = put_tracks(file, PLAIN, added, empty=not events.any)
        file.write(b"\n]\n}\n")
    first = min(clocks.first)
    present = [member.rank for member in members]
    world = max(present[-1] + 1, *[member.trace.distributed.world_size for member in members])
    return MergedFile(
        ranks=present,
        missing=[rank for rank in range(world) if rank not in present],
        events=sum(one.events for one in copied),
        tracks=count,
        residual_ns=clocks.worst_ns,
        apart=[rank for rank in present if clocks.first[rank] != first],
        torn=[member.trace.path for member in members if member.trace.torn],
        left_out=sum(one.left_out for one in copied),
    )


class _Events:
    """Writes events behind each other."""

    def __init__(self, file: IO[bytes]) -> None:
        self.any = False
        self._file = file

    def put(self, events: Sequence[bytes]) -> None:
        """Write these."""
        if events:
            self._file.write((_SEPARATOR if self.any else b"\n") + _SEPARATOR.join(events))
            self.any = True


class _Copier:
    """Looks at the texts of a file in their order, and writes their events."""

    def __init__(self, events: _Events, apart: Apart, layout: Layout) -> None:
        self._events, self._apart, self._layout = events, apart, layout

    def scan(self, text: Text, place: int = LAST_PLACE) -> None:  # noqa: ARG002 -- they come in order
        """Write the events of a text.

        Raises:
            UnscannableError: it is not laid out as its head promised.
        """
        content = text.content[text.begin : text.end].strip(SEPARATORS)
        if not content:
            return
        try:
            self._events.put(self._apart.all_of(content))
        except UNREADABLE:
            if not self._layout.certain:
                raise UnscannableError from None
            self._events.put(self._apart.each_of(self._pieces(content)))

    def found(self) -> None:
        """Nothing is kept."""

    def _pieces(self, content: bytes) -> Iterator[bytes]:
        *events, rest = content.split(self._layout.stop)
        for event in events:
            text = event.strip(SEPARATORS)
            if text.startswith(b"]"):
                return  # the list is over, and so is the document, whose end looks like an event's
            yield text + b"}"
        if rest.strip(SEPARATORS):
            yield rest


def _copy(member: _Member, events: _Events, choices: Choices, *, ranks: int, whole: bool) -> Apart:
    """Write the events of a rank.

    Raises:
        _UnscannableRankError: some were written, and it has to be read as a whole.
        InputError: it is no JSON.
    """
    apart = Apart(member.rank, member.place, ranks, member.later_ns, member.trace.odd_ids)
    with Source(Path(member.trace.path), choices.limits) as source:
        layout = None if whole else layout_of(source)
        if layout is None:
            events.put(apart.each_of(document_of(source)[0]))
            return apart
        head = head_of(source, layout.events)
        begin = len(head) - len(head.removeprefix(BOM)) + layout.events
        copier = _Copier(events, apart, layout)
        try:
            scan_shares(source, begin, layout, 1, lambda: copier)
        except UnscannableError:
            raise _UnscannableRankError(member.rank) from None
    return apart


def _tracks(member: _Member, choices: Choices) -> Iterator[str]:
    """The tracks that `annotate` puts into a rank's trace, in a process of the rank's own."""
    with Source(Path(member.trace.path), choices.limits) as source:
        trace = read(source, choices)
        charged = charge(trace, choices)
        summary = summarize_charged(charged, choices, frames=frames_of(source, trace, choices))
        process = Process(f"{NAME} rank {member.rank}", member.place, member.later_ns)
        yield from tracks(summary, charged, device_lines(charged.trace), process)


def _metadata(path: str, choices: Choices) -> Keys:
    """What stands in front of a trace's events."""
    with Source(Path(path), choices.limits) as source:
        layout = layout_of(source)
        if layout is None:
            return document_of(source)[1]
        return keys_of(head_of(source, layout.events).removeprefix(BOM)[: layout.events] + b"]}")


def _joint(metadata: Sequence[Keys], members: Sequence[_Member], clocks: Clocks, output: Path) -> dict[str, object]:
    """The metadata of the first rank, as far as it is that of all; the devices of all."""
    keys: dict[str, object] = {key: value for key, value in metadata[0].items() if key not in _NOT_OF_ALL}
    keys["traceName"] = output.name.encode("utf-8", "replace").decode()
    keys["deviceProperties"] = [*_devices(metadata).values()]
    keys[merged.KEY] = [
        merged.MergedRank(
            rank=member.rank,
            trace=Path(member.trace.path).name.encode("utf-8", "replace").decode(),
            later_ns=member.later_ns,
            residual_ns=clocks.residual_ns.get(member.rank),
        )
        for member in members
    ]
    return keys


def _devices(metadata: Sequence[Keys]) -> dict[int, object]:
    found: dict[int, object] = {}
    for keys in metadata:
        try:
            listed = msgspec.json.decode(keys.get("deviceProperties", b"[]"), type=list[dict[str, object]])
        except UNREADABLE:
            continue
        for one in listed:
            if isinstance(number := one.get("id"), int):
                found.setdefault(number, one)
    return found


def _put_keys(file: IO[bytes], keys: dict[str, object]) -> None:
    file.write(b"{\n")
    for key, value in keys.items():
        file.write(msgspec.json.encode(key) + b": " + msgspec.json.encode(value) + b",\n")
    file.write(b'"%s": [' % EVENTS.encode())

"""Reading Chrome traces: scanned where the layout is known, as one document otherwise, with the same result."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from tracer.arrays import compact
from tracer.document.errors import InputError
from tracer.packed import replaced
from tracer.trace.chrome.categories import Group
from tracer.trace.chrome.collector import Collector
from tracer.trace.chrome.correlations import settled
from tracer.trace.chrome.document import read_document
from tracer.trace.chrome.flows import follow, lack_correlation
from tracer.trace.chrome.handover import Handover
from tracer.trace.chrome.layout import HEAD_BYTES, Layout, UnscannableError, sniff
from tracer.trace.chrome.metadata import read_metadata, without_marks
from tracer.trace.chrome.of_model import of_model
from tracer.trace.chrome.placed import place_ops
from tracer.trace.chrome.producers import of_another
from tracer.trace.chrome.scanner import LAST_PLACE, Scanner, Tail, Text, scan_tail, texts
from tracer.trace.chrome.tracks import OwnTracks, own_tracks
from tracer.trace.columns import NO_CORRELATION, Trace, Want, without_rows
from tracer.trace.foreign import of_bytes
from tracer.trace.memory import give_back_columns, give_back_freed_pages, keep_freed_pages
from tracer.trace.parallel import default_jobs, in_processes
from tracer.trace.part import with_threads
from tracer.trace.source import BLOCK_BYTES, BOM
from tracer.trace.untimed import keep, timed_ops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracer.arrays import I64
    from tracer.trace.chrome.collected import Columns
    from tracer.trace.chrome.devices import Placed
    from tracer.trace.columns import Device, DeviceOps
    from tracer.trace.moments import Moments
    from tracer.trace.source import Source

FoundT = TypeVar("FoundT")
FoundT_co = TypeVar("FoundT_co", covariant=True)

# Compressed, a trace is a tenth to a twentieth of its size.
PACKED_FACTOR = 12
# How far in front of a file's end the end of its list of events is looked for.
TAIL_BYTES = 4 << 20
# How the labels of vLLM and SGLang begin, and how much of a file is looked through for one.
LABELS = (b'"execute_', b'"step[', b'"draft step[', b'"prefill[', b'"decode[')
_SUMMED = re.compile(rb'"execute_[^"]{0,200}sqsk')
LOOKED_THROUGH_BYTES = 16 << 20
# Of larger files some Python frames are read with the modules, as reading all of them again takes seconds.
LARGE_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class _Content:
    """What was read, whichever way."""

    collector: Collector
    events: int
    metadata: tuple[bytes, ...]
    lost_bytes: int | None
    own: OwnTracks
    had: Want


def read_chrome(
    source: Source, want: Want, *, jobs: int | None = None, strict: bool = False, at: Moments | None = None
) -> Trace:
    """Read a Chrome trace.

    Args:
        source, want: the file, and which events of it to read.
        jobs: processes to read with; by the file's size if None.
        strict: refuse a torn file instead of reading it up to where it is torn.
        at: see `read_source`.

    Raises:
        InputError: the file is no Chrome trace, or is torn and `strict` is set.
    """
    jobs = jobs or default_jobs(source.size_bytes * (PACKED_FACTOR if source.packed else 1))
    content = _read(source, want, jobs, at)
    metadata, want = read_metadata(*content.metadata), content.had
    columns = _columns(content)
    placed, ops, of_calls = _placed(source, content, columns, metadata.devices, jobs)
    if (torn := _torn(source, content)) is not None and strict:
        raise InputError(f"{source.name}: {torn}")
    trace = Trace(
        path=source.name,
        format="chrome",
        producer=metadata.producer,
        events=max(0, content.events - content.own.events),
        strings=columns.strings,
        threads=with_threads(columns.threads, metadata.part),
        devices=placed.described,
        ops=ops,
        calls=replaced(columns.calls(), correlation=of_calls),
        ranges=columns.spans(Group.RANGE),
        cpu_ops=columns.spans(Group.CPU_OP),
        frames=columns.spans(Group.FRAME),
        details=columns.details() if want & Want.DETAILS else None,
        launched=columns.launched() if want & Want.LAUNCHED else None,
        collectives=columns.collectives() if want & Want.COLLECTIVES else None,
        distributed=metadata.distributed,
        memory=columns.memory() if want & Want.MEMORY else None,
        memory_recorded=metadata.memory,
        stacks=metadata.stacks,
        captures=columns.captures(),
        manifest=metadata.manifest,
        warnings=[*([torn] if torn else []), *columns.warnings(), *metadata.warnings, *placed.warnings],
        had=content.had | (Want.CPU_OPS if content.had & Want.ASKERS and columns.all_operators else Want(0)),
        process_of_device=placed.process_of_device,
        own_tracks_bytes=content.own.size_bytes,
        part=metadata.part,
        origin=metadata.origin,
        torn=torn is not None,
        **of_model(columns),
    )
    unjoined = not (ops.correlation != NO_CORRELATION).any()
    doubtful = not len(ops) or ((placed.by_track or unjoined) and not metadata.kinetos)
    if doubtful and (unread := of_another(source, trace.events, kinetos=metadata.kinetos, ops=len(ops))) is not None:
        return without_rows(trace, unread)
    return _joined(source, trace, columns, jobs)


def _placed(
    source: Source, content: _Content, columns: Columns, described: list[Device], jobs: int
) -> tuple[Placed, DeviceOps, I64]:
    """Where the ops ran, the ops with that, and which launch each is of; the correlations of the calls."""

    def hosts() -> frozenset[tuple[str, str]]:
        return _read(source, Want.CPU_OPS, jobs).collector.columns().hosts()

    correlation = settled(columns.ops(), columns.calls())
    placed, numbers = place_ops(columns, described, correlation, None if content.had & Want.CPU_OPS else hosts)
    where = {"device": compact(placed.device), "stream": compact(placed.stream)}
    return placed, replaced(columns.ops(), correlation=numbers, **where), correlation.of_calls


def _columns(content: _Content) -> Columns:
    """What was collected; of a large file what only collecting it took is given back."""
    give_back_freed_pages(content.events)  # from here on columns are given back as they go
    columns = content.collector.columns(content.events)
    give_back_freed_pages(content.events)
    return columns


def _joined(source: Source, trace: Trace, columns: Columns, jobs: int) -> Trace:
    """The trace without the ops that have no time, those without a correlation joined to their calls by arrows."""
    timed = timed_ops(trace)
    trace = keep(replace(trace, untimed=columns.untimed), timed)
    if lack_correlation(trace):
        stands = [columns.op_tracks[track] for track in columns.track_of_op()[timed.rows].tolist()]
        trace = follow(trace, _read(source, Want.FLOWS, jobs).collector.columns().flows(), stands)
    return trace


def _torn(source: Source, content: _Content) -> str | None:
    """What is missing at the end of the file, in words."""
    if content.lost_bytes is None and source.damage is None:
        return None
    cause = f"damaged ({source.damage})" if source.damage else "cut off"
    return f"the file is {cause}: read up to its last whole event, {content.lost_bytes or 0:,} bytes behind it lost"


def _read(source: Source, want: Want, jobs: int, at: Moments | None = None) -> _Content:
    head, mark = _head(source)
    if not head and source.damage:
        raise InputError(f"{source.name}: damaged ({source.damage}); nothing of it can be read")
    if not head.strip():
        raise InputError(f"{source.name}: empty; a trace is a JSON file from torch.profiler or tracer record")
    if head[:64].lstrip()[:1] not in (b"{", b"["):
        told = of_bytes(head)
        raise InputError(f"{source.name}: not a trace ({told or 'a Chrome trace is JSON, plain or compressed'})")
    layout = sniff(head)
    if want & Want.MODULES_IF_STACKED and layout is not None and without_marks(_before_events(head, layout)):
        want |= _of_unmarked(source) & ~(Want.CPU_OPS if want & Want.ASKERS else Want(0))
    if want & Want.MODULES and source.size_bytes * (PACKED_FACTOR if source.packed else 1) > LARGE_BYTES:
        want |= Want.SOME_FRAMES
    if layout is not None:
        try:
            most = source.limits.most_events(source.size_bytes, jobs) if source.packed else None
            return _scan(
                source, head, mark + layout.events, layout, jobs, lambda: Scanner(layout, want, most, at), want
            )
        except UnscannableError:
            pass  # read it the slow way
    data = source.read_all().removeprefix(BOM)
    document = read_document(source.name, data, want)
    own = own_tracks(data)
    return _Content(document.collector, document.events, document.metadata, document.lost_bytes, own, want)


def _of_unmarked(source: Source) -> Want:
    """What tells the stages of a file with stacks and without marks, by what is near its beginning.

    Where that is an engine's label, its steps are stages; where it has sums over requests, operators say what attention
    costs. What was wrong is read later.
    """
    seen = 0
    for block in source.blocks():
        if any(label in block for label in LABELS):
            return Want.CPU_OPS | Want.DETAILS if _SUMMED.search(block) is not None else Want(0)
        if (seen := seen + len(block)) > LOOKED_THROUGH_BYTES:
            break
    return Want.MODULES


def _before_events(head: bytes, layout: Layout) -> bytes:
    """What stands before the events, as a document without any."""
    return head[: layout.events] + b"]}"


def _head(source: Source) -> tuple[bytes, int]:
    """The beginning of the text, and the length of the byte-order mark in front of it."""
    head = b""
    for block in source.blocks():
        head += block
        if len(head) >= HEAD_BYTES or sniff(head) is not None:
            break
    text = head.removeprefix(BOM)
    return text, len(head) - len(text)


class Scans(Protocol[FoundT_co]):
    """What looks at the texts of a file: a `Scanner`, or what looks for something else."""

    def scan(self, text: Text, place: int = LAST_PLACE) -> None:
        """Look at a text; `place` orders the texts of a file."""

    def found(self) -> FoundT_co:
        """What was found, once there is no more to scan."""


@dataclass(frozen=True, slots=True)
class _Share(Generic[FoundT]):
    """What one process found.

    Attributes:
        found: by its scanner.
        rest: what is left at the end of the file, behind the last end of an event; None unless this process met it.
        recent: what comes before that, where the file cannot be read again from there.
        damage: of the packing, where it met some.
    """

    found: FoundT
    rest: bytes | None
    recent: bytes
    damage: str | None


@dataclass(frozen=True, slots=True)
class Scanned(Generic[FoundT]):
    """What was found in a file.

    Attributes:
        found: in each share of it; of plain files in their order, and at last in its last event.
        tail: how it ends.
        text: its end.
    """

    found: list[FoundT]
    tail: Tail
    text: bytes


def _scan(
    source: Source, head: bytes, begin: int, layout: Layout, jobs: int, new: Callable[[], Scanner], want: Want
) -> _Content:
    """Scan the file from offset `begin` on in `jobs` processes, with `new` scanners for what is wanted.

    Raises:
        UnscannableError: the file is not laid out as its head promised.
    """
    scanned = scan_shares(source, begin, layout, jobs, new)
    (events, collector), *others = scanned.found
    for more, other in others:
        events += more
        collector.merge(other)
    return _Content(
        collector=collector,
        events=events,
        metadata=(_before_events(head, layout), b'{"traceEvents": []' + scanned.tail.metadata),
        lost_bytes=scanned.tail.lost_bytes,
        own=own_tracks(scanned.text),
        had=want,
    )


def scan_shares(
    source: Source, begin: int, layout: Layout, jobs: int, new: Callable[[], Scans[FoundT]]
) -> Scanned[FoundT]:
    """Have the texts of a file looked at in `jobs` processes, each by a scanner of its own.

    Args:
        source: the file.
        begin: offset in it, of the first event.
        layout: of its events.
        jobs: processes.
        new: makes a scanner.

    Raises:
        UnscannableError: the file is not laid out as its head promised.
    """
    handover = Handover(jobs - 1) if source.packed else None

    def work(share: int) -> _Share[FoundT]:
        if jobs > 1:
            keep_freed_pages()
        scanner, rest, recent = new(), None, b""
        if handover is None:
            rest = _scan_part(scanner, source, layout, begin, share, jobs)
        elif share:
            for place, text in handover.taken(share - 1):
                scanner.scan(text, place)
        else:
            rest, recent = _scan_and_hand_over(scanner, source, layout, begin, handover)
        return _Share(scanner.found(), rest, recent, source.damage)

    # Decoding leaves holes in memory between the columns that it makes: in processes that end with it.
    if jobs > 1:
        give_back_columns()
    shares = in_processes(work, jobs, here=False)
    source.damage = next((share.damage for share in shares if share.damage is not None), source.damage)
    rest, recent = next((share.rest, share.recent) for share in shares if share.rest is not None)
    text = recent + rest if source.packed else _with_what_is_before(source, begin, rest)
    behind, last = len(text) - len(rest), new()
    tail = scan_tail(last, text, behind, layout)
    return Scanned([*(share.found for share in shares), last.found()], tail, text)


def _with_what_is_before(source: Source, begin: int, rest: bytes) -> bytes:
    """The rest of a plain file behind what stands before it, from offset `begin` on at the earliest."""
    end = source.size_bytes - len(rest)
    start = max(begin, end - TAIL_BYTES)
    text = BytesIO()  # of which what it was made of is gone at once
    for block in source.blocks(start):
        text.write(block[: end - start - text.tell()])
        if text.tell() >= end - start:
            break
    text.write(rest)
    return text.getvalue()


def _scan_part(
    scanner: Scans[FoundT], source: Source, layout: Layout, begin: int, share: int, shares: int
) -> bytes | None:
    """Scan one of so many equal parts of a plain file; what is left at its end, if this part reaches it."""
    length = max(0, source.size_bytes - begin)
    low, high = (begin + length * part // shares for part in (share, share + 1))
    limit = None if share == shares - 1 else high - low
    most = source.limits.event_bytes
    for text in texts(source.blocks(low), layout, inside=share > 0, limit=limit, most_bytes=most):
        if text.last:
            return text.content
        scanner.scan(text, share)
    return None


def _scan_and_hand_over(
    scanner: Scans[FoundT], source: Source, layout: Layout, begin: int, handover: Handover
) -> tuple[bytes, bytes]:
    """Unpack a file, and scan what nobody else does; what is left at its end, and what comes before that."""
    recent: deque[Text] = deque(maxlen=max(1, TAIL_BYTES // BLOCK_BYTES))
    rest = b""
    for text in texts(_skipping(source.blocks(), begin), layout, most_bytes=source.limits.event_bytes):
        if text.last:
            rest = text.content
        else:
            if not handover.offer(text):
                scanner.scan(text, handover.place)
            recent.append(text)
    handover.end()
    return rest, b"".join(text.content[text.begin : text.end] for text in recent)


def _skipping(blocks: Iterator[bytes], count: int) -> Iterator[bytes]:
    """The blocks without the first `count` bytes."""
    for block in blocks:
        if count < len(block):
            yield block[count:]
        count = max(0, count - len(block))

"""Reading Chrome traces: scanned where the layout is known, as one document otherwise, with the same result."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.document.errors import InputError
from tracer.trace.chrome.categories import MODULE_PREFIX, Group
from tracer.trace.chrome.collector import Collector, Columns
from tracer.trace.chrome.correlations import Correlations, launching_process, settled
from tracer.trace.chrome.devices import Placed, Tracks, apart_by_launch, place
from tracer.trace.chrome.document import read_document
from tracer.trace.chrome.flows import follow, lack_correlation
from tracer.trace.chrome.handover import Handover
from tracer.trace.chrome.layout import HEAD_BYTES, Layout, UnscannableError, sniff
from tracer.trace.chrome.metadata import read_metadata
from tracer.trace.chrome.producers import of_another
from tracer.trace.chrome.scanner import Scanner, Text, scan_tail, texts
from tracer.trace.columns import Device, Trace, Want, without_rows
from tracer.trace.parallel import default_jobs, in_processes
from tracer.trace.source import BLOCK_BYTES, BOM
from tracer.trace.untimed import keep, timed_ops

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.trace.source import Source

# Compressed, a trace is a tenth to a twentieth of its size.
PACKED_FACTOR = 12
# How far in front of a file's end the end of its list of events is looked for.
TAIL_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class _Content:
    """What was read, whichever way."""

    collector: Collector
    events: int
    metadata: tuple[bytes, ...]
    lost_bytes: int | None


def read_chrome(source: Source, want: Want, *, jobs: int | None = None, strict: bool = False) -> Trace:
    """Read a Chrome trace.

    Args:
        source: the file.
        want: which events to read.
        jobs: processes to read with; by the file's size if None.
        strict: refuse a torn file instead of reading it up to where it is torn.

    Raises:
        InputError: the file is no Chrome trace, or is torn and `strict` is set.
    """
    jobs = jobs or default_jobs(source.size_bytes * (PACKED_FACTOR if source.packed else 1))
    content = _read(source, want, jobs)
    metadata = read_metadata(*content.metadata)
    columns = content.collector.columns()
    ops, calls, tracks = columns.ops(), columns.calls(), columns.track_of_op()
    correlation = settled(ops, calls)
    placed = _placed(columns, metadata.devices, correlation)
    ops = replace(ops, device=placed.device, stream=placed.stream, correlation=correlation.of_ops)
    warnings = [*columns.warnings(), *metadata.warnings, *placed.warnings]
    if (torn := _torn(source, content)) is not None:
        if strict:
            raise InputError(f"{source.name}: {torn}")
        warnings.insert(0, torn)
    of_model = columns.spans(Group.MODULE)
    is_module = np.array([name.startswith(MODULE_PREFIX) for name in columns.strings], dtype=np.bool_)
    trace = Trace(
        path=source.name,
        format="chrome",
        producer=metadata.producer,
        events=content.events,
        strings=columns.strings,
        threads=columns.threads,
        devices=placed.described,
        ops=ops,
        calls=replace(calls, correlation=correlation.of_calls),
        ranges=columns.spans(Group.RANGE),
        cpu_ops=columns.spans(Group.CPU_OP),
        modules=of_model[is_module[of_model.name]],
        generation=of_model[~is_module[of_model.name]],
        frames=columns.spans(Group.FRAME),
        details=columns.details() if want & Want.DETAILS else None,
        launched=columns.launched() if want & Want.LAUNCHED else None,
        stacks=metadata.stacks,
        captures=columns.captures(),
        manifest=metadata.manifest,
        warnings=warnings,
        process_of_device=placed.process_of_device,
    )
    if not len(ops) or (placed.by_track and not metadata.kinetos):
        unread = of_another(source, content.events, kinetos=metadata.kinetos, ops=len(ops))
        if unread is not None:
            return without_rows(trace, unread)
    timed = timed_ops(trace)
    trace, tracks = keep(trace, timed), tracks[timed.rows]
    if lack_correlation(trace):
        stands = [columns.op_tracks[track] for track in tracks.tolist()]
        trace = follow(trace, _read(source, Want.FLOWS, jobs).collector.columns().flows(), stands)
    return trace


def _placed(columns: Columns, described: list[Device], correlation: Correlations) -> Placed:
    """Where each op ran."""
    ops, calls = columns.ops(), columns.calls()
    tracks = Tracks(columns.op_tracks, columns.track_of_op(), columns.hosts())
    found = place(ops.device, ops.stream, tracks, described)
    processes = sorted({process for process, _ in columns.threads})
    if len(processes) < 2 or not len(calls):
        return found
    process_of_call = int64([processes.index(process) for process, _ in columns.threads])[calls.thread]
    launched = launching_process(correlation.of_ops, correlation.of_calls, process_of_call)
    return apart_by_launch(found, launched, processes)


def _torn(source: Source, content: _Content) -> str | None:
    """What is missing at the end of the file, in words."""
    if content.lost_bytes is None and source.damage is None:
        return None
    cause = f"damaged ({source.damage})" if source.damage else "cut off"
    return f"the file is {cause}: read up to its last whole event, {content.lost_bytes or 0:,} bytes behind it lost"


def _read(source: Source, want: Want, jobs: int) -> _Content:
    head, mark = _head(source)
    if not head and source.damage:
        raise InputError(f"{source.name}: damaged ({source.damage}); nothing of it can be read")
    if not head.strip():
        raise InputError(f"{source.name}: empty; a trace is a JSON file from torch.profiler or tracer record")
    if head[:64].lstrip()[:1] not in (b"{", b"["):
        raise InputError(f"{source.name}: not a trace (a Chrome trace is JSON, plain or compressed)")
    layout = sniff(head)
    if layout is not None:
        try:
            return _scan(source, head, mark + layout.events, layout, want, jobs)
        except UnscannableError:
            pass  # read it the slow way
    document = read_document(source.name, source.read_all().removeprefix(BOM), want)
    return _Content(document.collector, document.events, document.metadata, document.lost_bytes)


def _head(source: Source) -> tuple[bytes, int]:
    """The beginning of the text, and the length of the byte-order mark in front of it."""
    head = b""
    for block in source.blocks():
        head += block
        if len(head) >= HEAD_BYTES or sniff(head) is not None:
            break
    text = head.removeprefix(BOM)
    return text, len(head) - len(text)


@dataclass(frozen=True, slots=True)
class _Share:
    """What one process found.

    Attributes:
        events: events seen.
        collector: the wanted ones.
        rest: what is left at the end of the file, behind the last end of an event; None unless this process met it.
        recent: what comes before that, where the file cannot be read again from there.
    """

    events: int
    collector: Collector
    rest: bytes | None
    recent: bytes


def _scan(source: Source, head: bytes, begin: int, layout: Layout, want: Want, jobs: int) -> _Content:
    """Scan the file from offset `begin` on in `jobs` processes.

    Raises:
        UnscannableError: the file is not laid out as its head promised.
    """
    handover = Handover(jobs - 1) if source.packed else None
    most = source.limits.most_events(source.size_bytes, jobs) if source.packed else None

    def work(share: int) -> _Share:
        scanner, rest, recent = Scanner(layout, want, most), None, b""
        if handover is None:
            rest = _scan_part(scanner, source, layout, begin, share, jobs)
        elif share:
            for place, text in handover.taken(share - 1):
                scanner.scan(text, place)
        else:
            rest, recent = _scan_and_hand_over(scanner, source, layout, begin, handover)
        scanner.flush()
        return _Share(scanner.events, scanner.collector, rest, recent)

    shares = in_processes(work, jobs)
    rest, recent = next((share.rest, share.recent) for share in shares if share.rest is not None)
    if not source.packed:
        recent = _before(source, begin, source.size_bytes - len(rest))
    last = Scanner(layout, want)
    tail = scan_tail(last, recent, rest, layout)
    last.flush()
    collector = shares[0].collector
    for other in (*(share.collector for share in shares[1:]), last.collector):
        collector.merge(other)
    return _Content(
        collector=collector,
        events=sum(share.events for share in shares) + last.events,
        metadata=(head[: layout.events] + b"]}", b'{"traceEvents": []' + tail.metadata),
        lost_bytes=tail.lost_bytes,
    )


def _before(source: Source, begin: int, end: int) -> bytes:
    """What stands before offset `end` of a plain file, from `begin` on at the earliest."""
    start = max(begin, end - TAIL_BYTES)
    return b"".join(source.blocks(start))[: end - start]


def _scan_part(scanner: Scanner, source: Source, layout: Layout, begin: int, share: int, shares: int) -> bytes | None:
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
    scanner: Scanner, source: Source, layout: Layout, begin: int, handover: Handover
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

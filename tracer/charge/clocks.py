"""Whether a device's clock agrees with the host's: no op begins before its launch, nor ends behind a wait for it.

In forty real files whose clocks agree no wait ended before what it had waited for: the host learns of it microseconds
later. Of what an op waits for where they don't, nothing is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int32, int64, is_ascending
from tracer.charge.intervals import PIECE, distinct, grouped
from tracer.charge.launches import CLOCK_IS_OFF, earlier_ns
from tracer.document.words import counted, duration
from tracer.packed import some
from tracer.trace.api import copies_to_host, synchronises, waits_for_all
from tracer.trace.columns import JITTER_NS, NO_CORRELATION, OpKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tracer.arrays import I32, I64, Bools
    from tracer.trace.columns import Trace

# A wait for a stream that takes so long had something to wait for; one for an idle stream returns at once.
WAITED_NS = 20_000
# A single wait may have been for something else; so many in a row are from when the clock went off.
FEWEST_WAITS, IN_A_ROW = 2, 4
_OF_STREAM = re.compile(r"[sS]tream|Queue")


@dataclass(frozen=True, slots=True)
class Clocks:
    """What ops that begin before their launch, or end behind a wait for them, say of their devices' clocks.

    Attributes:
        early: ops that begin before their launch by more than clocks differ.
        distrusted: ops before which nothing is said of why the device was idle: the early ones, and all of a device
            whose clock is off.
        off_device: ops of a device whose clock is off.
        devices: those whose clock is off.
        longest_ns: the furthest that one begins before its launch.
        waits, outlasted: waits of the host for a certain op, and those that ended before that op did.
        latest_ns: the furthest that one ends behind its wait.
    """

    early: Bools
    distrusted: Bools
    off_device: Bools
    devices: list[int]
    longest_ns: int
    waits: int = 0
    outlasted: int = 0
    latest_ns: int = 0

    @property
    def off(self) -> bool:
        """Whether the clock of any device is."""
        return bool(self.devices)


def clocks_of(trace: Trace, call: I64) -> Clocks:
    """Compare the clocks of devices with the host's.

    Args:
        trace: with ops and calls.
        call: of each op its launch.
    """
    earlier = earlier_ns(trace, call)
    early, longest_ns = np.asarray(earlier > JITTER_NS, dtype=np.bool_), int(earlier.max(initial=0))
    del earlier
    stated = None if trace.part is None else trace.part.clocks_off
    waited, behind_ns = _waited_for(trace, call)
    late = behind_ns > JITTER_NS
    if not early.any() and not late.any() and not stated:
        none = np.broadcast_to(np.False_, len(early))
        return Clocks(none, none, none, [], 0)
    devices = int64(distinct(trace.ops.device))
    device = np.searchsorted(devices, trace.ops.device)
    before, joined = (np.bincount(device[rows], minlength=len(devices)) for rows in (early, call >= 0))
    waits, outlasted = (np.bincount(device[rows], minlength=len(devices)) for rows in (waited, waited[late]))
    # A part does not show how many of the whole's are.
    off = before > CLOCK_IS_OFF * joined if stated is None else np.isin(devices, stated)
    slow = (outlasted >= FEWEST_WAITS) & (2 * outlasted > waits)
    slow |= _in_a_row(device[waited], trace.ops.start_ns[waited], late, len(devices))
    off |= slow
    off_device = np.asarray(off[device], dtype=np.bool_)
    return Clocks(
        early=early,
        distrusted=np.asarray(early | off_device, dtype=np.bool_),
        off_device=off_device,
        devices=devices[off].tolist(),
        longest_ns=longest_ns,
        waits=int(waits[slow].sum()),
        outlasted=int(outlasted[slow].sum()),
        latest_ns=int(behind_ns[late & slow[device[waited]]].max(initial=0)),
    )


def _in_a_row(device: I64, start_ns: I64, late: Bools, devices: int) -> Bools:
    """On which devices so many ops that were waited for, one behind another, ended behind their waits."""
    order = np.lexsort((start_ns, device))
    changes = np.diff(device[order], prepend=-1) != 0
    # How many there have been in a row until each: places since the last that was not late.
    place = np.arange(len(order))
    since = np.maximum.accumulate(np.where(~late[order] | changes, place - late[order], -1)) if len(order) else place
    found = np.zeros(devices, dtype=np.bool_)
    found[device[order][late[order] & (place - since >= IN_A_ROW)]] = True
    return found


def _waited_for(trace: Trace, call: I64) -> tuple[I64, I64]:
    """Ops that the host certainly waited for, and how long behind the end of the wait each ended (before: negative).

    Those are: what a blocking call copies to the host (to the device it returns when it has read the host's memory); a
    copy, with the wait for a stream that is the next call of its thread (one for an event may be for an earlier copy);
    and the last op that a thread asked for of a device before it waited for all of it, or long for its only stream.
    Of several devices it is the one that was all the thread asked for since its last wait, if no other ended its work
    meanwhile.
    """
    ops, calls = trace.ops, trace.calls
    rows = int32(np.flatnonzero(call >= 0))
    waits = _named(trace, synchronises)
    if not len(rows) or not len(calls) or not waits[calls.name].any():
        return int64([]), int64([])
    copies = rows[ops.kind[rows] == OpKind.MEMCPY]
    own = call[copies]
    blocks, wait = waits[calls.name[own]], _following(trace)[own]
    to_host = _named(trace, copies_to_host)[ops.name[copies]]
    whole, of_stream = _named(trace, waits_for_all), waits & _named(trace, _OF_STREAM.search)
    waited = ~blocks & (wait >= 0) & (of_stream | whole)[calls.name[wait]]
    found = [(copies[blocks & to_host], own[blocks & to_host]), (copies[waited], wait[waited])]
    asked, launched = np.flatnonzero((whole | of_stream)[calls.name]), grouped(calls.thread[call[rows]])
    streams = {device: len(distinct(ops.stream[own])) for device, own in grouped(ops.device).items()}
    for thread, own_waits in grouped(calls.thread[asked]).items():
        if thread in launched:
            found.append(_last_before(trace, call, rows[launched[thread]], asked[own_waits], whole, streams))
    op, by = (int64(np.concatenate(column)) for column in zip(*found, strict=True))
    return op, int64(ops.end_ns[op] - calls.end_ns[by])


def _following(trace: Trace) -> I32:
    """The next call of each one's thread; -1 of the last."""
    calls = trace.calls
    order = int32(np.lexsort((calls.start_ns, calls.thread)))
    thread = calls.thread[order]
    following = np.full(len(calls), -1, dtype=np.int32)
    following[order[:-1]] = np.where(thread[1:] == thread[:-1], order[1:], -1)
    return following


def _named(trace: Trace, tells: Callable[[str], object]) -> Bools:
    """Of each string of the trace whether something is true of it."""
    return np.array([bool(tells(name)) for name in trace.strings], dtype=np.bool_)


def _last_before(
    trace: Trace, call: I64, own: I32, asked: I64, whole: Bools, streams: Mapping[int, int]
) -> tuple[I64, I64]:
    """The op that ended last of what a thread asked for before each of its waits for all of that; see `_waited_for`.

    Args:
        trace: with ops and calls.
        call: of each op its launch.
        own: the ops that the thread launched.
        asked: its waits for a device or a stream.
        whole: which of the trace's strings are waits for a device.
        streams: how many each device has.
    """
    found = [
        _last_of_device(trace, call, rows, waits, whole, only=streams[device] == 1)
        for device, rows, waits in _by_device(trace, call, own, asked)
    ]
    op, by = (int64(np.concatenate(column)) for column in zip(*found, strict=True))
    return op, by


def _by_device(trace: Trace, call: I64, own: I32, asked: I64) -> Iterator[tuple[int, I32, I64]]:
    """Each device of a thread's ops, these, and the thread's waits that were for it."""
    ops, calls = trace.ops, trace.calls
    devices = distinct(ops.device[own])
    if len(devices) == 1:
        yield devices[0], own, asked
        return
    order = np.argsort(calls.start_ns[call[own]], kind="stable")
    launched_ns, device = calls.start_ns[call[own[order]]], ops.device[own[order]]
    asked = asked[np.argsort(calls.start_ns[asked], kind="stable")]
    start_ns, end_ns = calls.start_ns[asked], calls.end_ns[asked]
    first = np.searchsorted(launched_ns, np.append(np.iinfo(np.int64).min, end_ns[:-1]))
    last = np.searchsorted(launched_ns, start_ns) - 1
    changes = np.append(0, np.cumsum(device[1:] != device[:-1]))
    some = (last >= first) & (end_ns - start_ns > WAITED_NS)
    asked, start_ns, end_ns, first, last = (column[some] for column in (asked, start_ns, end_ns, first, last))
    single = changes[first] == changes[last]
    for one in devices:
        others_ns = np.sort(ops.end_ns[ops.device != one])
        elsewhere = np.searchsorted(others_ns, end_ns, side="right") > np.searchsorted(others_ns, start_ns)
        yield one, own[ops.device[own] == one], asked[single & (device[first] == one) & ~elsewhere]


def _last_of_device(trace: Trace, call: I64, own: I32, asked: I64, whole: Bools, *, only: bool) -> tuple[I64, I64]:
    """The same of one device; whether it has but one stream."""
    ops, calls = trace.ops, trace.calls
    took_ns = calls.end_ns[asked] - calls.start_ns[asked]
    asked = asked[whole[calls.name[asked]] | ((took_ns > WAITED_NS) & only)]
    returned_ns = calls.end_ns[call[own]]
    if not is_ascending(returned_ns):
        own = own[np.argsort(returned_ns, kind="stable")]
        returned_ns.sort()
    # Of each place that of the op that reaches furthest so far.
    reach, furthest_ns = np.arange(len(own), dtype=np.int32), np.iinfo(np.int64).min
    for at in range(0, len(own), PIECE):
        end_ns = some(ops, "end_ns", own[at : at + PIECE])
        so_far = np.maximum.accumulate(np.maximum(end_ns, furthest_ns))
        reach[at : at + PIECE][end_ns != so_far] = 0
        furthest_ns = so_far[-1]
    np.maximum.accumulate(reach, out=reach)
    place = np.searchsorted(returned_ns, calls.start_ns[asked], side="right") - 1
    held = place >= 0
    return int64(own[reach[place[held]]]), int64(asked[held])


def doubtful_launches(trace: Trace, call: I64, clocks: Clocks) -> list[str]:
    """What to say of clocks that are off, and of ops whose number another call bears."""
    return [*_early_ops(trace, clocks), *_outlasting(clocks), *_refused(trace, call)]


def _early_ops(trace: Trace, clocks: Clocks) -> list[str]:
    early = int(np.count_nonzero(clocks.early))
    if not early:
        return []
    of = counted(len(trace.ops), "device op")
    begin = f"{early:,} of {of} {'begins' if early == 1 else 'begin'} before {'its' if early == 1 else 'their'} launch"
    means = (
        "the device's clock is off against the host's, and nothing is said of why it was idle"
        if clocks.off
        else "nothing is said of why the device was idle before them"
    )
    return [f"{begin}, by up to {duration(clocks.longest_ns)}: {means}"]


def _outlasting(clocks: Clocks) -> list[str]:
    if not clocks.outlasted:
        return []
    waits = counted(clocks.waits, "wait of the host", "waits of the host")
    end = f"{clocks.outlasted:,} of {waits} {'ends' if clocks.outlasted == 1 else 'end'} before the op waited for"
    means = "the device's clock is off against the host's, and nothing is said of why it was idle"
    return [f"{end}, by up to {duration(clocks.latest_ns)}: {means}"]


def _refused(trace: Trace, call: I64) -> list[str]:
    orphans = trace.ops.correlation[call < 0]
    if not len(orphans):
        return []
    known = trace.calls.correlation[trace.calls.correlation != NO_CORRELATION]
    refused = int(np.count_nonzero(np.isin(orphans, known)))
    if not refused:
        return []
    ops = counted(refused, "device op has", "device ops have")
    count = "it counts" if refused == 1 else "they count"
    why = "the number of a call that launched something else or is another process's"
    return [f"{ops} {why}: {count} as without a launch record"]

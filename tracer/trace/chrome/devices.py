"""Which device and stream each op of a Chrome trace ran on, and what the file calls them.

An op names its device and stream in its arguments or by its track, as in "stream 7". Where ranks were joined in one
file, each numbers its own device from 0 on, and only the process of the track (`[TP01] 0`) tells them apart. A track of
a host thread says nothing: there a number is a process's or a thread's.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, compact, int64, rows_of_each
from tracer.document.words import counted
from tracer.trace.chrome.numbers import folded
from tracer.trace.columns import MISSING, NO_STREAM, Device

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.arrays import I32, I64, Bools

_WHOLE = re.compile(r"\d{1,20}", re.ASCII)
_DIGITS = re.compile(r"\d+", re.ASCII)
_NUMBER = re.compile(r"(\d+)\D*$", re.ASCII)
_BEHIND = re.compile(r"\d+(\D.*)", re.ASCII | re.DOTALL)
# Device of ops that name none, where the file describes none either.
UNTOLD = -1
NAMED = 4
# Of the ops on a device a process launches so many, and such a share, before it is taken for a rank.
FEWEST_OPS, LEAST_SHARE = 3, 0.1


@dataclass(frozen=True, slots=True)
class Tracks:
    """Where ops stand.

    Attributes:
        ids: (process, thread) of each track, as the file spells them.
        of_op: of each op, index into ids.
        hosts: the threads that made calls, ran operators or opened ranges, in the same spelling.
    """

    ids: Sequence[tuple[str, str]]
    of_op: I32
    hosts: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Placed:
    """Devices and streams of ops.

    Attributes:
        device, stream: of each op.
        described: the devices by the numbers that `device` has.
        process_of_device: the host process that a device worked for, where the file tells.
        warnings: what had to be assumed, in words.
        by_track: whether some ops name no device, but stand on its track.
        on_others: whether it matters which tracks are of host threads: of ops that name no device, or no stream on a
            track that is not called by their device.
    """

    device: I64
    stream: I64
    described: list[Device]
    process_of_device: dict[int, str]
    warnings: list[str]
    by_track: bool = False
    on_others: bool = False


def place(number: I64, stream: I64, tracks: Tracks, described: Sequence[Device]) -> Placed:
    """Find the device and the stream of each op.

    Args:
        number, stream: as the ops' arguments have them; MISSING where they don't.
        tracks: of the ops.
        described: the devices that the file describes.
    """
    if not len(number):
        return Placed(number, stream, list(described), {}, [])
    host_pids = frozenset(pid for pid, _ in tracks.hosts)
    pids = [pid for pid, _ in tracks.ids]
    own = int64([MISSING if pid in host_pids else _number_of(pid) for pid in pids])
    only = described[0].id if len(described) == 1 else UNTOLD
    by_track = bool((number == MISSING).any())
    told = compact(int64(np.where(number == MISSING, own[tracks.of_op], number)) if by_track else number)
    untold = int(np.count_nonzero(told == MISSING))
    told = int64(np.where(told == MISSING, only, told)) if untold else told
    row_stream = int64([NO_STREAM if track in tracks.hosts else _number_of(track[1]) for track in tracks.ids])
    on_others = by_track
    if (stream == MISSING).any():
        on_others |= bool(((stream == MISSING) & (own[tracks.of_op] != told)).any())
        stream = int64(np.where(stream == MISSING, row_stream[tracks.of_op], stream))
    ranks = _Ranks(pids, host_pids)
    device, number_of, pid_of = ranks.devices(told, tracks.of_op)
    return Placed(
        device=device,
        stream=stream,
        described=_described(number_of, described),
        process_of_device=ranks.processes(pid_of),
        warnings=[*_assumed(untold, only), *_joined(number_of, pid_of)],
        by_track=by_track,
        on_others=on_others,
    )


def apart_by_launch(placed: Placed, process: I64, names: Sequence[str]) -> Placed:
    """The same, with a device for each process that launched on one number, where no track tells them apart.

    One file of torch.profiler's is of one process, so that several in a file are ranks, and each has a device.

    Args:
        placed: the ops.
        process: that launched each op, index into names; -1 where nothing tells.
        names: the processes.
    """
    device, told = placed.device.copy(), dict(placed.process_of_device)
    described = {one.id: one for one in placed.described}
    warnings = list(placed.warnings)
    fresh = int(device.max(initial=-1))
    for one, own in rows_of_each(placed.device):
        first, *others = _launchers(process[own]) or [-1]
        if one in told or not others:
            continue
        told[one] = names[first]
        for other in others:
            fresh += 1
            device[own[_of_process(process[own], placed.stream[own], other)]] = fresh
            told[fresh] = names[other]
            if one in described:
                described[fresh] = replace(described[one], id=fresh)
        warnings.append(
            f"{1 + len(others):,} processes in this file launched on device {one}: each has a device of its own"
        )
    return replace(placed, device=device, described=[*described.values()], process_of_device=told, warnings=warnings)


def _launchers(process: I64) -> list[int]:
    """The processes that launched a share of these ops, those of most first."""
    known = process[process >= 0]
    counts = np.bincount(known) if len(known) else known
    found = [one for one in range(len(counts)) if counts[one] >= max(FEWEST_OPS, LEAST_SHARE * len(known))]
    return sorted(found, key=lambda one: (-counts[one], one))


def _of_process(process: I64, stream: I64, wanted: int) -> Bools:
    """Which ops are of a process: which it launched, and those of unknown launch on streams that it alone uses."""
    known = process >= 0
    own, others = stream[process == wanted], stream[known & (process != wanted)]
    alone = np.isin(stream, own) & ~np.isin(stream, others)
    return np.asarray((process == wanted) | (~known & alone), dtype=np.bool_)


def _number_of(text: str) -> int:
    """The last number of a track's id; MISSING without one."""
    match = _NUMBER.search(text)
    return folded(match[1]) if match else MISSING


def _rank_of(pid: str) -> str:
    """What stands before the number in the id of a rank's process, or behind it: `[TP01] ` of `[TP01] 830`, `_1` of
    `830_1`."""
    behind = _BEHIND.fullmatch(pid)
    if behind is not None:
        return behind[1]
    match = _NUMBER.search(pid)
    return pid[: match.start()] if match else pid


@dataclass(frozen=True, slots=True)
class _Ranks:
    """The processes of tracks: those of ops, and those of host threads."""

    pids: list[str]
    hosts: frozenset[str]

    def devices(self, number: I64, track: I32) -> tuple[I64, dict[int, int], dict[int, str]]:
        """The device of each op, and of each device its number and the process of its tracks, where that tells it."""
        names = sorted(set(self.pids))
        place = {pid: row for row, pid in enumerate(names)}
        numbers, code = coded(number)
        code *= len(names)
        code += int64([place[pid] for pid in self.pids])[track]
        pairs, op_pair = coded(code)
        del code
        by_number: dict[int, list[str]] = defaultdict(list)
        for pair in pairs.tolist():
            by_number[int(numbers[pair // len(names)])].append(names[pair % len(names)])
        fresh = max(0, int(numbers.max()) + 1)
        found: dict[tuple[int, str], int] = {}
        number_of: dict[int, int] = {}
        pid_of: dict[int, str] = {}
        for one, pids in by_number.items():
            for group in self._apart(one, pids):
                device = one if one not in number_of else fresh
                fresh += device == fresh
                number_of[device], pid_of[device] = one, group[0]
                found.update({(one, pid): device for pid in group})
        of_pair = [found[int(numbers[pair // len(names)]), names[pair % len(names)]] for pair in pairs.tolist()]
        return compact(int64(of_pair)[op_pair]), number_of, pid_of

    def _apart(self, number: int, pids: list[str]) -> list[list[str]]:
        """The processes of one device number's tracks, those of one device together."""
        on_device = [pid for pid in pids if pid not in self.hosts]
        if len(on_device) == 1 or (on_device and not self._are_ranks(number, on_device)):
            return [pids]
        groups = {pid: [pid] for pid in on_device}
        of_rank = {_rank_of(pid): pid for pid in on_device}
        for pid in pids:
            # Some kinds of ops may stand on the track of the thread that launched them, beside the device's own.
            if pid in self.hosts:
                groups.setdefault(of_rank.get(_rank_of(pid) or pid, pid), []).append(pid)
        return list(groups.values())

    def _are_ranks(self, number: int, pids: list[str]) -> bool:
        """Whether several tracks of one number are devices of several ranks, not parts of one device."""
        if len(self.hosts) == 1:
            return False
        alike = all(_number_of(pid) == number for pid in pids) and len(set(map(_rank_of, pids))) == len(pids)
        one_form = len({_DIGITS.sub("0", pid) for pid in pids}) == 1
        return alike or (one_form and len(self.hosts) >= len(pids))

    def processes(self, pid_of: Mapping[int, str]) -> dict[int, str]:
        """The host process of each device's track, where several might be and exactly one is of its rank."""
        if len(self.hosts) < 2:
            return {}
        of_rank: dict[str, list[str]] = defaultdict(list)
        for host in self.hosts:
            of_rank[_rank_of(host)].append(host)
        behind = self._behind() if "" in map(_rank_of, pid_of.values()) else {}
        found = {}
        for device, pid in pid_of.items():
            rank = _rank_of(pid)
            hosts = [pid] if pid in self.hosts else of_rank.get(rank, []) if rank else behind.get(pid, [])
            if len(hosts) == 1:
                found[device] = hosts[0]
        return found

    def _behind(self) -> dict[str, list[str]]:
        """The host processes between each track and the next: ranks may be joined by adding to all numbers."""
        if not all(_WHOLE.fullmatch(one) for one in (*self.pids, *self.hosts)):
            return {}
        places, hosts = sorted({int(pid) for pid in self.pids}), sorted(self.hosts, key=int)
        numbers = [int(host) for host in hosts]
        bounds = dict(pairwise([*places, 1 << 80]))
        return {
            pid: hosts[bisect_right(numbers, int(pid)) : bisect_left(numbers, bounds[int(pid)])] for pid in self.pids
        }


def _described(number_of: dict[int, int], described: Sequence[Device]) -> list[Device]:
    """What the file says of its devices, by the ids that ops have; of those that ran nothing as it stands there.

    A file may describe them by another number: ROCm's ops bear that of the agent, which counts processors too.
    """
    by_id = {device.id: device for device in described}
    used = sorted(set(number_of.values()))
    unknown = [number for number in used if number not in by_id]
    if unknown and len(used) == len(described):
        by_id = dict(zip(used, sorted(described, key=lambda device: device.id), strict=True))
    elif unknown and len({device.name for device in described}) == 1:
        by_id |= dict.fromkeys(unknown, described[0])
    found = {device: replace(by_id[number], id=device) for device, number in number_of.items() if number in by_id}
    idle = [device for device in described if device.id not in found] if not unknown else []
    return [*found.values(), *idle]


def _joined(number_of: dict[int, int], pid_of: dict[int, str]) -> list[str]:
    """That ranks number their devices alike, and which is whose."""
    often = Counter(number_of.values())
    alike = [device for device, number in number_of.items() if often[number] > 1]
    if not alike:
        return []
    named = ", ".join(f"device {device} is that of {pid_of[device]!r}" for device in alike[:NAMED])
    more = f" and {len(alike) - NAMED:,} more" if len(alike) > NAMED else ""
    return [f"{len(alike):,} processes in this file number their devices alike: {named}{more}"]


def _assumed(untold: int, only: int) -> list[str]:
    if not untold:
        return []
    ops = counted(untold, "device op names no device", "device ops name no device")
    return [f"{ops}: taken to be of {'the only one described' if only != UNTOLD else 'one for each process'}"]

"""What a Chrome trace holds, counted from its text with `json` alone: nothing here is the package's.

Only for files that torch.profiler wrote of one process: its categories, microseconds, a correlation for each launch.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Event = dict[str, Any]

OPS = ("kernel", "gpu_memcpy", "gpu_memset", "Kernel", "Memcpy", "Memset")
CALLS = ("cuda_runtime", "cuda_driver", "Runtime")


@dataclass(frozen=True)
class Counted:
    """Device ops, their times added up, the time in which any ran and the gaps, added up over devices; nanoseconds.

    `ranges` has of each annotation's name how many there are, the ops launched in them, and the time of these.
    """

    ops: int
    time_ns: int
    busy_ns: int
    idle_ns: int
    ranges: dict[str, tuple[int, int, int]]


def counted(path: Path) -> Counted:
    document = json.loads(gzip.decompress(path.read_bytes()), parse_float=Decimal)
    events = [one for one in (document if isinstance(document, list) else document["traceEvents"]) if _whole(one)]
    ops = [(*_times(one), one) for one in events if one.get("cat") in OPS]
    by_device = defaultdict(list)
    for start, end, one in ops:
        by_device[one["args"].get("device")].append((start, end))
    busy_ns = sum(map(_union, by_device.values()))
    windows_ns = sum(max(end for _, end in own) - min(own)[0] for own in by_device.values())
    return Counted(
        len(ops), sum(end - start for start, end, _ in ops), busy_ns, windows_ns - busy_ns, _ranges(events, ops)
    )


def _whole(event: Event) -> bool:
    return event.get("ph") == "X"


def _times(event: Event) -> tuple[int, int]:
    start = int(event["ts"] * 1000)
    return start, start + int(event.get("dur", 0) * 1000)


def _union(spans: list[tuple[int, int]]) -> int:
    total, reached = 0, min(spans)[0]
    for start, end in sorted(spans):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _ranges(
    events: list[dict[str, Any]], ops: list[tuple[int, int, dict[str, Any]]]
) -> dict[str, tuple[int, int, int]]:
    calls, open_on = defaultdict(list), defaultdict(list)
    for one in events:
        if one.get("cat") in CALLS and "correlation" in one.get("args", {}):
            calls[one["args"]["correlation"]].append((_times(one)[0], one["tid"]))
        elif one.get("cat") == "user_annotation":
            open_on[one["tid"]].append((*_times(one), one["name"]))
    held, took = Counter[str](), Counter[str]()
    for start, end, one in ops:
        if not (same := calls.get(one["args"].get("correlation"))):
            continue
        called, thread = max((call for call in same if call[0] <= start), default=min(same))
        for name in {name for begin, until, name in open_on[thread] if begin <= called < until}:
            held[name] += 1
            took[name] += end - start
    often = Counter(name for spans in open_on.values() for *_, name in spans)
    return {name: (count, held[name], took[name]) for name, count in often.items()}

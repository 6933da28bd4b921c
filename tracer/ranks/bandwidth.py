"""Bus bandwidth of collectives by size, as nccl-tests defines it.

https://github.com/NVIDIA/nccl-tests/blob/master/doc/PERFORMANCE.md: of a message of S bytes in t seconds the
algorithm's bandwidth is S/t, and the bus bandwidth that times a factor of the number n of ranks, so that it can be
held against the link's peak whatever n is: 2(n-1)/n of an all-reduce, (n-1)/n of an all-gather, reduce-scatter and
all-to-all, 1 of a broadcast and a reduce. S is what a rank has in the end of an all-gather, and in the beginning of a
reduce-scatter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.ranks import Bandwidth
from tracer.ranks.divided import waits
from tracer.ranks.stragglers import median

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.ranks.matched import Matched
    from tracer.trace.collectives import Collective

BYTES = {
    "float": 4, "float32": 4, "int": 4, "int32": 4, "half": 2, "float16": 2, "bfloat16": 2, "short": 2, "double": 8,
    "long": 8, "int64": 8, "byte": 1, "char": 1, "bool": 1, "int8": 1, "uint8": 1, "float8_e4m3fn": 1, "float8_e5m2": 1,
}  # fmt: skip
# GB/s in one direction, of NVLink between the cards of one host: NVIDIA's data sheets say the sum of both directions.
LINKS = {"H100 80GB HBM3": 450.0, "H200": 450.0, "B200": 900.0, "A100-SXM": 300.0, "V100-SXM2": 150.0}


def bandwidths(groups: Sequence[Matched], device: str) -> list[Bandwidth]:
    """A row for each kind, size and number of ranks; of groups of which every member's trace is there."""
    times: dict[tuple[str, int, int], list[int]] = {}
    for group in groups:
        if not group.whole:
            continue
        longest = (group.end_ns - group.start_ns - waits(group)).max(axis=0).tolist()
        for kind, time_ns in zip(group.kinds, longest, strict=True):
            size = message_bytes(kind)
            if size and time_ns > 0 and factor(kind.name, len(group.ranks)):
                times.setdefault((kind.name, size, len(group.ranks)), []).append(time_ns)
    peak = next((gbs for name, gbs in LINKS.items() if name in device), None)
    rows = []
    for (name, size, ranks), found in sorted(times.items()):
        time_ns = median(found)
        rows.append(
            Bandwidth(
                collective=name,
                bytes=size,
                group_size=ranks,
                count=len(found),
                transfer_ns=time_ns,
                bus_gbs=size / time_ns * (factor(name, ranks) or 0),
                peak_gbs=peak,
            )
        )
    return rows


def message_bytes(kind: Collective) -> int:
    """The size of a message as nccl-tests counts it; 0 where the trace does not say."""
    return max(kind.sent, kind.received, 0) * BYTES.get(kind.dtype.lower(), 0)


def factor(name: str, ranks: int) -> float | None:
    """What the algorithm's bandwidth is multiplied with; None of what nccl-tests has no factor for."""
    flat = name.lower().replace("_", "")
    if "allreduce" in flat:
        return 2 * (ranks - 1) / ranks
    if any(word in flat for word in ("allgather", "reducescatter", "alltoall")):
        return (ranks - 1) / ranks
    return 1.0 if any(word in flat for word in ("broadcast", "reduce")) else None

"""What kernels of NCCL and RCCL, and a trace's metadata, say of ranks: untrusted text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from tracer.document.bounds import LONGEST_NS
from tracer.trace.collectives import MOST_RANKS, Collective, Distributed
from tracer.trace.names import cut

if TYPE_CHECKING:
    from tracer.trace.chrome.events import CollectiveArgs

# Name, group, ranks, size, elements in and out, type, as they stand in the file.
Kind: TypeAlias = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes]


def kind_of(args: CollectiveArgs) -> Kind | None:
    """The texts of one event; None where it says of no collective."""
    if not bytes(args.collective):
        return None
    texts = (args.collective, args.group, args.ranks, args.size, args.sent, args.received, args.dtype)
    name, group, ranks, size, sent, received, dtype = map(bytes, texts)
    return name, group, ranks, size, sent, received, dtype


def parsed(kind: Kind) -> Collective:
    """What the texts mean; what means nothing is left out."""
    name, group, ranks, size, sent, received, dtype = map(_value, kind)
    return Collective(
        name=cut(name) if isinstance(name, str) else "",
        group=cut(str(group)) if isinstance(group, str | int) else "",
        ranks=_ranks(_value(ranks.encode()) if isinstance(ranks, str) else ranks),
        size=_whole(size, 0),
        sent=_whole(sent, -1),
        received=_whole(received, -1),
        dtype=cut(dtype) if isinstance(dtype, str) else "",
    )


def distributed(info: bytes, base: bytes, host: bytes = b"") -> Distributed:
    """What the keys `distributedInfo`, `baseTimeNanoseconds` and `host_name` of a trace say."""
    said = _value(info)
    said = said if isinstance(said, dict) else {}
    rank = _whole(said.get("rank"), -1)
    groups = {}
    listed = said.get("pg_config")
    for group in listed if isinstance(listed, list) else []:
        members = _ranks(group.get("ranks")) if isinstance(group, dict) else None
        if members is not None and isinstance(name := group.get("pg_name"), str | int):
            groups[cut(str(name))] = members
    return Distributed(
        rank=rank if 0 <= rank < MOST_RANKS else None,
        world_size=min(_whole(said.get("world_size"), 0), MOST_RANKS),
        groups=groups,
        base_ns=_whole(_value(base), 0, most=1 << 62),
        host=cut(name) if isinstance(name := _value(host), str) else "",
    )


def _value(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text) if text else None
    except (ValueError, RecursionError):
        return None


def _whole(value: Any, without: int, *, most: int = LONGEST_NS) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 17:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else without


def _ranks(value: Any) -> tuple[int, ...] | None:
    """Members in their order; None of a list that is cut short, as the profiler does with long ones."""
    if not isinstance(value, list) or not value or len(value) > MOST_RANKS:
        return None
    members = [_whole(one, -1) for one in value]
    return tuple(members) if min(members) >= 0 and len(set(members)) == len(members) else None

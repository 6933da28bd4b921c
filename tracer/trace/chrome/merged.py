"""What a file says of the ranks of one run whose traces were joined in it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from tracer.trace.chrome.events import UNREADABLE
from tracer.trace.collectives import MOST_RANKS

KEY = "tracerRanks"
SAID = 8
_Time = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]


class MergedRank(msgspec.Struct, frozen=True, kw_only=True):
    """One of them.

    Attributes:
        rank: its number.
        trace: the name of its file.
        later_ns: what was added to its times.
        residual_ns: how well its clock's offset to the first one's is known; None of the first.
    """

    rank: Annotated[int, msgspec.Meta(ge=0, lt=MOST_RANKS)]
    trace: str
    later_ns: _Time
    residual_ns: _Time | None


def said(data: bytes) -> list[str]:
    """What a person should know who reads figures of such a file."""
    try:
        ranks = [one.rank for one in msgspec.json.decode(data, type=list[MergedRank])]
    except UNREADABLE:
        return ["the ranks that it says it joins were ignored: not as tracer writes them"]
    which = ", ".join(map(str, ranks[:SAID])) + (", ..." if len(ranks) > SAID else "")
    return [f"it holds ranks {which} of one run: a summary adds their figures up, and has each one's device in a row"]

"""What a trace says of communication between ranks: which collective a kernel is, and which rank wrote the trace."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracer.arrays import I64

# No run has more; beyond is damage.
MOST_RANKS = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Collective:
    """What the arguments of a communication kernel say; the same for all kernels of one kind.

    Attributes:
        name: "allreduce", "_allgather_base", "send", as the profiler spells it; untrusted.
        group: the process group's name.
        ranks: its members; None where the file does not list them, or not all.
        size: how many they are; 0 where unknown.
        sent, received: elements that go in and come out; -1 where unknown.
        dtype: of an element, as torch spells it.
    """

    name: str
    group: str = ""
    ranks: tuple[int, ...] | None = None
    size: int = 0
    sent: int = -1
    received: int = -1
    dtype: str = ""


@dataclass(frozen=True, slots=True)
class Collectives:
    """Which collective each device op of a trace is.

    Attributes:
        of_op: of each device op, index into kinds; -1 of those that say nothing.
        kinds: the different ones.
    """

    of_op: I64
    kinds: list[Collective]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distributed:
    """What a trace says of the run that it is one rank of.

    Attributes:
        rank: of the process that was traced; None where the file does not say.
        world_size: ranks of the run; 0 where unknown.
        groups: members of each process group, by its name.
        base_ns: what the trace's times count from, on the host's clock: `baseTimeNanoseconds`.
        host: the machine's name; "" where the file does not say; untrusted.
    """

    rank: int | None = None
    world_size: int = 0
    groups: dict[str, tuple[int, ...]] = field(default_factory=dict)
    base_ns: int = 0
    host: str = ""

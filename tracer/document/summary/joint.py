"""Several models at once on one machine: what each takes beside the others, and alone."""

from __future__ import annotations

import msgspec

from tracer.document.summary.device import Idle


class Alone(msgspec.Struct, frozen=True, kw_only=True):
    """What a model takes by itself, in a trace of its own.

    Attributes:
        path: of that trace.
        ops, device_time_ns: its device work.
        busy_ns, idle, wall_ns: as of `JointRole`.
    """

    path: str
    ops: int
    device_time_ns: int
    busy_ns: int
    idle: Idle
    wall_ns: int


class LaunchingThread(msgspec.Struct, frozen=True, kw_only=True):
    """A host thread, by its process and its own number, as the trace has them."""

    process: str
    thread: str


class JointRole(msgspec.Struct, frozen=True, kw_only=True):
    """One of several models, as if its work were the device's only one.

    Attributes:
        role: its name.
        threads: those that launched its work.
        ops, device_time_ns: its device work.
        busy_ns: time in which any of it ran.
        idle: the gaps between, by cause: of `launch`, what is asked for may wait for the others' work.
        wall_ns: busy and idle: from its first op's start to its last one's end.
        alone: by itself; None where no such trace was given.
        slowdown: wall time against that alone; None without it, or where it ran other work.
        lost_ns: wall time beyond that alone, likewise.
        lost: of that by what: "busy", "host", "sync", "launch", "unknown"; negative where it takes less.
        cause: "host", "device" or "sync", whichever explains more than half of what is lost; None where none does.
        tokens: its prompts' passes and decode steps (its drafts), each yielding one; None where neither its stages nor
            a trace of it alone tell them.
        beside_prefill: how many of these were over while another model processed its prompts, by that model; empty of
            one that does not decode.
    """

    role: str
    threads: list[LaunchingThread]
    ops: int
    device_time_ns: int
    busy_ns: int
    idle: Idle
    wall_ns: int
    alone: Alone | None = None
    slowdown: float | None = None
    lost_ns: int | None = None
    lost: dict[str, int] | None = None
    cause: str | None = None
    tokens: int | None = None
    beside_prefill: dict[str, int] = {}


class Joint(msgspec.Struct, frozen=True, kw_only=True):
    """Models at once. Times are summed over devices that they share; of models on their own ones they pass once.

    Attributes:
        roles: the models.
        busy_ns: time in which any of them ran.
        both_ns: time in which more than one did.
        idle_ns: the rest, from the first op to the last.
        one_process: whether all were launched from threads of one process.
    """

    roles: list[JointRole]
    busy_ns: int
    both_ns: int
    idle_ns: int
    one_process: bool

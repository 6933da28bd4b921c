"""The document on the ranks of one run: who waits in collectives, for whom, and why."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from tracer.document.summary.abstained import Abstained
from tracer.document.summary.findings import Finding
from tracer.document.summary.lost import LostOps

SCHEMA = "tracer.ranks/1"
CPU = "CPU"
Cause = Literal["host", "device", "network"]
HOST: Cause = "host"
DEVICE: Cause = "device"
NETWORK: Cause = "network"


class RankStage(msgspec.Struct, frozen=True, kw_only=True):
    """A stage on one rank; times are added up over its runs, and null where launches of it have no device op.

    Attributes:
        stage: its name; "" of what belongs to none.
        runs: how often.
        device_time_ns: durations of its device ops.
        collective_ns: of those that are collectives.
        wait_ns, transfer_ns: parts of collectives that were matched: until the last rank arrived, and after that;
            they add up to the device time of these; null, as `late_ns` is, where there are some and none was matched.
        unmatched_ns: of collectives that were not matched; `collective_ns` less both parts.
        exposed_ns: of `collective_ns`, while no other op ran on the device.
        late_ns: by how much it was the last to arrive, added up.
        lost: launches of it whose work was not recorded; absent where all of it was.
    """

    stage: str
    runs: int
    device_time_ns: int | None
    collective_ns: int | None
    wait_ns: int | None
    transfer_ns: int | None
    unmatched_ns: int | None
    exposed_ns: int | None
    late_ns: int | None
    lost: LostOps | UnsetType = UNSET

    @property
    def own_ns(self) -> int | None:
        """Device time without collectives."""
        if self.device_time_ns is None or self.collective_ns is None:
            return None
        return self.device_time_ns - self.collective_ns


class Rank(msgspec.Struct, frozen=True, kw_only=True):
    """One rank.

    Attributes:
        rank: its number.
        path: of its trace.
        device: its device's name; "" where the trace does not say; "CPU" of a rank without one, whose work is its
            operators and whose collectives are gloo's.
        clock_offset_ns: by which its clock is ahead of the first rank's; None where no collective joins them.
        clock_residual_ns: how far three quarters of the ends of its collectives are from others' at most.
        stages: in the order of a request.
    """

    rank: int
    path: str
    device: str
    clock_offset_ns: int | None
    clock_residual_ns: int | None
    stages: list[RankStage]


class KernelExcess(msgspec.Struct, frozen=True, kw_only=True):
    """A kernel that takes more on a late rank than on the others: all of it in a stage; `others_` is their median."""

    name: str
    count: int
    others_count: int
    time_ns: int
    others_ns: int


class Straggler(msgspec.Struct, frozen=True, kw_only=True):
    """A rank that the others wait for.

    Attributes:
        rank, stage: which.
        cause: "host": it launches late; "device": its kernels are more or slower; "network": its transfers are slower.
        late_ns: that it is late by, added up over the passes.
        passes: in so many runs of the stage it is late by more than the clocks' residual.
        of_passes: runs of the stage.
        pass_ns: the median of what it is late by in one.
        stage_pass_ns: the median of what a run of the stage takes, on all ranks.
        place: where it falls behind at one go: before this collective of a run, from 1; None where not in one place.
        pace_ns: where there is a place: what its host is slower by everywhere else, added up.
        kernels: with the cause device, those that take more than on the others, the most first.
    """

    rank: int
    stage: str
    cause: Cause
    late_ns: int
    passes: int
    of_passes: int
    pass_ns: int
    stage_pass_ns: int
    place: int | None = None
    pace_ns: int = 0
    kernels: list[KernelExcess] = []


class StepRank(msgspec.Struct, frozen=True, kw_only=True):
    """What a rank's matched collectives in a run of a stage were: waiting and transfer, which add up to their time."""

    rank: int
    wait_ns: int
    transfer_ns: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a stage: which rank the others waited for most, and how long they did, added up over ranks.

    Attributes:
        stage, index, request: which; index and request are -1 where the traces do not say.
        critical_rank: None where nobody was later than the clocks can tell.
        late_ns: of that rank.
        wait_ns: of all ranks together.
        ranks: each by itself.
    """

    stage: str
    index: int
    request: int
    critical_rank: int | None
    late_ns: int
    wait_ns: int
    ranks: list[StepRank] = []


class RequestTime(msgspec.Struct, frozen=True, kw_only=True):
    """A request in the traces; `request` is -1 where they do not tell requests apart.

    Attributes:
        time_ns: from the first instant of any rank's device to the last.
        without_waiting_ns: the longest of the ranks, each without what it waits in collectives while nothing else runs.
    """

    request: int
    time_ns: int
    without_waiting_ns: int


class Bandwidth(msgspec.Struct, frozen=True, kw_only=True):
    """Collectives of one kind and size that were matched in whole groups.

    Attributes:
        collective: as the profiler spells it.
        bytes: of a message, as nccl-tests counts it.
        group_size: ranks.
        count: how many.
        transfer_ns: the median of the transfer, of each collective the longest over ranks.
        bus_gbs: bus bandwidth in GB/s, nccl-tests' definition (its doc/PERFORMANCE.md).
        peak_gbs: of the device's link in one direction, by its data sheet; None where unknown.
    """

    collective: str
    bytes: int
    group_size: int
    count: int
    transfer_ns: int
    bus_gbs: float
    peak_gbs: float | None = None


class Ranks(msgspec.Struct, frozen=True, kw_only=True, rename={"schema_": "schema"}):
    """What `tracer ranks` says.

    Attributes:
        schema_: `SCHEMA`.
        world_size: ranks of the run, as the traces say.
        missing: those of which there is no trace.
        ranks: those that there are.
        clock: "shared": the traces' times are comparable as they are; "estimated": from ends of collectives.
        clock_residual_ns: the largest of the ranks; None where no collective was matched.
        collectives, matched: of the first rank that has any, so many, and so many of them matched.
        stragglers: the latest first.
        steps, requests, bandwidth: in order.
        findings, abstained: as in a summary.
        warnings: what was read around.
    """

    schema_: str = SCHEMA
    world_size: int
    missing: list[int]
    ranks: list[Rank]
    clock: Literal["shared", "estimated", "unknown"]
    clock_residual_ns: int | None
    collectives: int
    matched: int
    stragglers: list[Straggler]
    steps: list[Step]
    requests: list[RequestTime]
    bandwidth: list[Bandwidth]
    findings: list[Finding]
    abstained: list[Abstained]
    warnings: list[str]


def encode(ranks: Ranks) -> bytes:
    """The document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(ranks), indent=2) + b"\n"


def decode(data: bytes) -> Ranks:
    """Read a saved document.

    Raises:
        msgspec.MsgspecError: it is none of this schema.
    """
    ranks = msgspec.json.decode(data, type=Ranks)
    if ranks.schema_ != SCHEMA:
        raise msgspec.ValidationError(f"schema {ranks.schema_!r} instead of {SCHEMA!r}")
    return ranks

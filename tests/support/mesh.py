"""Ranks of several groups, played: tensor, data and pipeline parallel, sends, collectives beside work; nanoseconds.

A device has a stream for its kernels and one for each group; a collective begins when the kernels before it are done,
and what follows waits for it, unless it was asked for without waiting: then at the next `JOIN`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from support.ranks import KERNEL_NS, LATENCY_NS, LAUNCH_NS, TRANSFER_NS, Event, _event, _kernel, _launch, _moved

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

NAME = "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)"
Groups = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Work:
    """A kernel on every rank."""


@dataclass(frozen=True)
class Meet:
    """A collective of each of these groups, which have one name."""

    name: str
    groups: Groups
    kind: str = "allreduce"
    waited_for: bool = True


@dataclass(frozen=True)
class Send:
    """From the first rank of each pair to the second."""

    pairs: Groups


@dataclass(frozen=True)
class Join:
    """Kernels that follow wait for all collectives."""


Step = Work | Meet | Send | Join
JOIN = Join()


def mesh(tensor: int, data: int, pipeline: int = 1) -> tuple[Groups, Groups, Groups]:
    """The groups of a mesh whose ranks are numbered pipeline, data, tensor: the tensor's, the data's, and the pairs
    that send."""
    ranks = range(tensor * data * pipeline)
    size = tensor * data
    tensors = tuple(tuple(r for r in ranks if r // tensor == one) for one in range(data * pipeline))
    datas = tuple(
        tuple(r for r in ranks if r // size == part and r % tensor == place)
        for part in range(pipeline) for place in range(tensor)
    )  # fmt: skip
    return tensors, datas, tuple((r, r + size) for r in ranks if r + size in ranks)


@dataclass
class _Machine:
    """A rank while it plays."""

    host: int = 1_000_000
    kernels: int = 0
    groups: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    events: list[Event] = field(default_factory=list)
    launched: int = 0

    def launch(self, late: int = 0) -> int:
        self.launched += 1
        self.host += LAUNCH_NS + late
        self.events.append(_launch(self.host, self.launched))
        return self.host + LATENCY_NS


def play_steps(
    ranks: int,
    steps: Sequence[Step],
    passes: int,
    *,
    clock: Mapping[int, int] | None = None,
    **planted: Mapping[tuple[int, int], int],
) -> list[list[Event]]:
    """The events of each rank.

    Args:
        ranks: how many.
        steps: of a pass.
        passes: the first is prefill.
        clock: by rank, how far its clock is ahead; then all have device 0, so that nothing says they share a host.
        planted: by cause, rank and the place of a step, what the rank loses there.
    """
    machines = [_Machine() for _ in range(ranks)]

    def lost(cause: str, rank: int, place: int) -> int:
        return planted.get(cause, {}).get((rank, place), 0)

    for number in range(passes):
        begun = [machine.host for machine in machines]
        for place, step in enumerate(steps):
            if isinstance(step, Join):
                for machine in machines:
                    machine.kernels = max([machine.kernels, *machine.groups.values()])
            elif isinstance(step, Work):
                for rank, machine in enumerate(machines):
                    start = max(machine.kernels, machine.launch(lost("host", rank, place)))
                    machine.kernels = start + KERNEL_NS + lost("device", rank, place)
                    length = machine.kernels - start
                    machine.events.append(_kernel("gemm_of_a_layer", start, length, machine.launched))
            else:
                _meet(machines, step, partial(lost, "network", place=place))
        for rank, machine in enumerate(machines):
            wait = machine.host + 1_000
            machine.host = max([wait, machine.kernels, *machine.groups.values()]) + 5_000
            sync = _event("cuda_runtime", "cudaStreamSynchronize", wait, machine.host - wait, {})
            name = f"tracer/decode#{number}" if number else "tracer/prefill"
            whole = _event("user_annotation", name, begun[rank], machine.host - begun[rank], {})
            machine.events += [sync, whole]
            machine.host += 1_000
    ahead = clock or {}
    return [_moved(machine.events, ahead.get(r, 0), 0 if clock else r) for r, machine in enumerate(machines)]


def _meet(machines: Sequence[_Machine], step: Meet | Send, slower: Callable[[int], int]) -> None:
    name, waited_for = (step.name, step.waited_for) if isinstance(step, Meet) else ("pp", True)
    for members in step.groups if isinstance(step, Meet) else step.pairs:
        starts = [max(machines[r].launch(), machines[r].kernels, machines[r].groups[name]) for r in members]
        for place, (rank, start) in enumerate(zip(members, starts, strict=True)):
            machine = machines[rank]
            end = max(starts) + TRANSFER_NS + slower(rank)
            said = {
                "Collective name": step.kind if isinstance(step, Meet) else ("send", "recv")[place],
                "In msg nelems": 4096, "Out msg nelems": 4096, "Group size": len(members), "dtype": "BFloat16",
                "Process Group Name": name, "Process Group Ranks": str(list(members)),
            }  # fmt: skip
            one = _kernel(NAME, start, end - start, machine.launched, **said)
            one["args"]["stream"] = 20 + sum(map(ord, name))
            machine.events.append(one)
            machine.groups[name] = end
            if waited_for:
                machine.kernels = max(machine.kernels, end)

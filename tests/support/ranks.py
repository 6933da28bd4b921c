"""Traces of the ranks of one run, made by playing the run: hosts launch, devices work in order, collectives wait.

All times are nanoseconds. Hosts launch one op after another, sample a token at the end of a pass, and wait for it
there, so that what a host loses early in a pass it keeps until the pass ends.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Event = dict[str, Any]
LAUNCH_NS, LATENCY_NS, KERNEL_NS, TRANSFER_NS, COMPUTE = 20_000, 3_000, 400_000, 40_000, "gemm_of_a_layer"
ELEMENTS = 4096


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is played.

    Attributes:
        ranks, passes, layers: a collective ends each layer.
        host: by rank, what its host loses before the collective of layer `at` in each pass.
        device: by rank, how much longer its kernel of layer `at` takes.
        network: by rank, how much longer its transfer takes in the collective of layer `at`.
        at: the layer; None for each.
        clock: by rank, how far its clock is ahead.
        devices: by rank, its device's number; the rank's where not given.
    """

    ranks: int = 2
    passes: int = 4
    layers: int = 6
    host: Mapping[int, int] = field(default_factory=dict)
    device: Mapping[int, int] = field(default_factory=dict)
    network: Mapping[int, int] = field(default_factory=dict)
    at: int | None = 2
    clock: Mapping[int, int] = field(default_factory=dict)
    devices: Mapping[int, int] = field(default_factory=dict)


def play(plan: Plan) -> list[list[Event]]:
    """The events of each rank."""
    played: list[list[Event]] = [[] for _ in range(plan.ranks)]
    host, device = [1_000_000] * plan.ranks, [0] * plan.ranks
    number = 0
    for step in range(plan.passes):
        begun = list(host)
        for layer in range(plan.layers):
            number += 2
            arrived = []
            for rank in range(plan.ranks):
                planted = plan.at in (None, layer)
                host[rank] += LAUNCH_NS
                played[rank].append(_launch(host[rank], number))
                start = max(device[rank], host[rank] + LATENCY_NS)
                length = KERNEL_NS + (plan.device.get(rank, 0) if planted else 0)
                played[rank].append(_kernel(COMPUTE, start, length, number))
                device[rank] = start + length
                host[rank] += LAUNCH_NS + (plan.host.get(rank, 0) if planted else 0)
                played[rank].append(_launch(host[rank], number + 1))
                arrived.append(max(device[rank], host[rank] + LATENCY_NS))
            for rank, start in enumerate(arrived):
                slower = plan.network.get(rank, 0) if plan.at in (None, layer) else 0
                end = max(arrived) + TRANSFER_NS + slower
                played[rank].append(_collective(start, end - start, number + 1, plan.ranks, ELEMENTS))
                device[rank] = end
        for rank in range(plan.ranks):
            wait = host[rank] + 1_000
            host[rank] = max(wait, device[rank]) + 5_000
            played[rank].append(_event("cuda_runtime", "cudaStreamSynchronize", wait, host[rank] - wait, {}))
            name = "tracer/prefill" if step == 0 else f"tracer/decode#{step}"
            played[rank].append(_event("user_annotation", name, begun[rank], host[rank] - begun[rank], {}))
            host[rank] += 1_000
    return [_moved(events, plan.clock.get(rank, 0), plan.devices.get(rank, rank)) for rank, events in enumerate(played)]


def play_on_processors(plan: Plan) -> list[list[Event]]:
    """The same on CPUs: a host does the work itself, and waits for each collective, which gloo runs on a thread."""
    played: list[list[Event]] = [[] for _ in range(plan.ranks)]
    host = [1_000_000] * plan.ranks
    for step in range(plan.passes):
        begun = list(host)
        for layer in range(plan.layers):
            planted, arrived = plan.at in (None, layer), []
            for rank in range(plan.ranks):
                host[rank] += LAUNCH_NS + (plan.host.get(rank, 0) if planted else 0)
                length = KERNEL_NS + (plan.device.get(rank, 0) if planted else 0)
                played[rank].append(_event("cpu_op", "aten::linear", host[rank], length, {}))
                played[rank].append(_event("cpu_op", "aten::addmm", host[rank] + 1_000, length - 2_000, {}))
                host[rank] += length
                played[rank].append(_event("cpu_op", "c10d::allreduce_", host[rank], 2_000, {}))
                arrived.append(host[rank] + LATENCY_NS)
            for rank, start in enumerate(arrived):
                end = max(arrived) + TRANSFER_NS + (plan.network.get(rank, 0) if planted else 0)
                gloo = _event("user_annotation", "gloo:all_reduce", start, end - start, {})
                played[rank].append({**gloo, "tid": 2 + layer % 2})
                host[rank] = end
        for rank in range(plan.ranks):
            name = "tracer/prefill" if step == 0 else f"tracer/decode#{step}"
            played[rank].append(_event("user_annotation", name, begun[rank], host[rank] - begun[rank], {}))
    return [_moved(events, plan.clock.get(rank, 0), rank) for rank, events in enumerate(played)]


def write(folder: Path, plan: Plan, played: list[list[Event]] | None = None) -> list[Path]:
    """A file for each rank, as torch.profiler writes it."""
    folder.mkdir(exist_ok=True)
    paths = []
    for rank, events in enumerate(play(plan) if played is None else played):
        info = {"backend": "nccl", "rank": rank, "world_size": plan.ranks}
        document = {"schemaVersion": 1, "distributedInfo": info, "baseTimeNanoseconds": 0, "traceEvents": events}
        paths.append(folder / f"rank{rank}.json")
        paths[-1].write_text(json.dumps(document))
    return paths


def _launch(at: int, correlation: int) -> Event:
    return _event("cuda_runtime", "cudaLaunchKernel", at, 1_000, {"correlation": correlation})


def _kernel(name: str, at: int, length: int, correlation: int, **more: Any) -> Event:
    return _event("kernel", name, at, length, {"device": 0, "stream": 7, "correlation": correlation, **more})


def _collective(at: int, length: int, correlation: int, ranks: int, elements: int) -> Event:
    listed = ", ".join(map(str, range(ranks))) if ranks <= 30 else ", ".join([*map(str, range(30)), "..."])
    said = {
        "Collective name": "allreduce", "In msg nelems": elements, "Out msg nelems": elements, "Group size": ranks,
        "dtype": "BFloat16", "Process Group Name": "0", "Process Group Ranks": f"[{listed}]",
    }  # fmt: skip
    return _kernel(
        "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)", at, length, correlation, **said
    )


def _event(category: str, name: str, at: int, length: int, args: dict[str, Any]) -> Event:
    return {"ph": "X", "cat": category, "name": name, "pid": 100, "tid": 1, "ts": at, "dur": length, "args": args}


def _moved(events: list[Event], ahead: int, device: int) -> list[Event]:
    """On a rank's own clock and device, in microseconds as the file has them."""
    moved = []
    for event in events:
        args = {**event["args"], "device": device} if "device" in event["args"] else event["args"]
        ts, dur = event["ts"] + ahead, event["dur"]
        moved.append({**event, "args": args, "ts": ts / 1000, "dur": dur / 1000})
    return moved

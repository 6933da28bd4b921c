"""What the nodes of a model's captured graphs are: the step is made once more, launch by launch, under the profiler.

A replay is one launch of many kernels, of which the profiler knows no operator and no module. The same step launched
kernel by kernel has both, and the same kernels in the same order; whoever reads the trace holds the two against each
other and takes the names only where they are the same.
"""

from __future__ import annotations

import warnings
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch.profiler import ProfilerActivity, profile, schedule

from model.registry import COMPILE, GRAPH
from tracer.document.graphs import LAYER, OUTSIDE, CapturedGraph

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from model.decoding.static import StaticDecoder, StaticDecoders
    from model.staged import StagedModel

MODULE = "nn.Module: "
ON_DEVICE = ("kernel", "gpu_memcpy", "gpu_memset")
CALLS = ("cuda_runtime", "cuda_driver")
COMPILED = (
    "the step was compiled: its graph holds kernels that the compiler made of several operators and modules, and no "
    "run of it launches them one by one"
)


class Args(msgspec.Struct, frozen=True):
    """What joins a kernel to its launch."""

    correlation: int = -1


class Event(msgspec.Struct, frozen=True):
    """An event of the profiler, as far as it is read; times are microseconds."""

    ph: str = ""
    cat: str = ""
    name: str = ""
    tid: int | str = ""
    ts: Decimal = Decimal(0)
    dur: Decimal = Decimal(0)
    args: Args = Args()


class Events(msgspec.Struct, frozen=True):
    """What the profiler wrote."""

    events: list[Event] = msgspec.field(name="traceEvents")


def graphs_of(model: StagedModel[Any, Any], folder: Path) -> tuple[list[CapturedGraph], str]:
    """The graphs that the model's decode steps replay, and why they are not known where they aren't.

    Args:
        model: has made a step of each kind, so that nothing is allocated or chosen any more.
        folder: for what the profiler leaves.
    """
    decoders: StaticDecoders | None = getattr(model, "decoders", None)
    if decoders is None or model.device.type != "cuda":
        return [], ""
    if decoders.mode == COMPILE:
        return [], COMPILED
    try:
        return ([_graph_of(decoder, folder) for decoder in decoders.each] if decoders.mode == GRAPH else []), ""
    except (OSError, ValueError) as error:  # what was measured until now is worth more
        return [], f"torch.profiler left no trace of the step that can be read ({error})"


def _graph_of(decoder: StaticDecoder, folder: Path) -> CapturedGraph:
    path = folder / "captured.json"
    activities = [ProfilerActivity.CPU, ProfilerActivity.CUDA]
    # The first kernels behind a profiler's start may be lost: it sees the step twice and keeps the second.
    turns = schedule(wait=0, warmup=1, active=1, repeat=1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"torch\.profiler.*")
        written = lambda done: done.export_chrome_trace(str(path))  # noqa: E731
        with (
            decoder.launching() as launch,
            profile(activities=activities, schedule=turns, with_stack=True, on_trace_ready=written) as profiler,
        ):
            for _ in range(2):
                launch()
                torch.cuda.synchronize()
                profiler.step()
    found = captured(path.read_bytes())
    path.unlink()
    return found


def captured(trace: bytes) -> CapturedGraph:
    """What was launched, in the order of the launches, with the operators and modules that were open then.

    Args:
        trace: of one step, as torch.profiler writes it.
    """
    events = [event for event in msgspec.json.decode(trace, type=Events).events if event.ph == "X"]
    launch: dict[int, Event] = {}
    for event in events:
        if event.cat in CALLS:
            number = event.args.correlation
            launch[number] = min(launch.get(number, event), event, key=lambda one: one.ts)
    pairs = [(launch[one.args.correlation], one) for one in events if _joins(one, launch)]
    pairs.sort(key=lambda pair: pair[0].ts)
    calls = [call for call, _ in pairs]
    operators = _open(calls, [event for event in events if event.cat == "cpu_op"])
    modules = _open(calls, [one for one in events if one.cat == "python_function" and one.name.startswith(MODULE)])
    numbers: dict[str, int] = {}

    def number_of(name: str | None) -> int:
        return OUTSIDE if name is None else numbers.setdefault(name, len(numbers))

    nodes = []
    for (_, op), asking, nested in zip(pairs, operators, modules, strict=True):
        own = [one.name.removeprefix(MODULE) for one in nested]
        layer = next((name for name in own if LAYER.search(name)), None)
        operator, module = asking[-1].name if asking else None, own[-1] if own else None
        nodes.append((number_of(op.name), number_of(operator), number_of(module), number_of(layer)))
    return CapturedGraph(names=list(numbers), nodes=nodes)


def _joins(event: Event, launch: dict[int, Event]) -> bool:
    return event.cat in ON_DEVICE and event.args.correlation in launch


def _open(calls: Sequence[Event], spans: Sequence[Event]) -> list[list[Event]]:
    """Of each call, in the order of time, the spans that are open on its thread, the outermost first."""
    waiting = sorted(spans, key=lambda span: (span.ts, -span.dur))
    found, place = [], 0
    opened: dict[int | str, list[Event]] = {}
    for call in calls:
        while place < len(waiting) and waiting[place].ts <= call.ts:
            opened.setdefault(waiting[place].tid, []).append(waiting[place])
            place += 1
        held = [span for span in opened.get(call.tid, []) if call.ts < span.ts + span.dur]
        opened[call.tid] = held
        found.append(list(held))
    return found

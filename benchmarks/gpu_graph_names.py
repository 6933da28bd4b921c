"""Holds the names inside CUDA graphs to the same steps launched kernel by kernel, on a GPU.

python benchmarks/gpu_graph_names.py OUT [--tiny]

One EventGPT decodes a few tokens in four ways, with stacks: from a graph; over the same static cache launched kernel by
kernel; the same with the device held up before each layer, so that its kernels run back to back as a graph's do; and as
transformers does. All of them are recorded in turns, several rounds of them, in one process with one set of weights.

A kernel in the graph must be of the operator, module and layer of the same kernel at the same place of the steps
launched one by one: that is whether the names are true, whatever the kernels took. Modules must take the same time
within a hundredth where the kernels are the same; kernels that run between pauses are longer than a graph's, so that is
asked of the steps whose layers are held up; the others, and how far rounds of one way differ, stand beside it.

Then the other built-in models at their tiny size, verified, from a graph; the host's layers of a run in which each is
known (as `gpu_host_layers.py` records it), and what a launch costs this host at least. Each part writes what it found
as it comes (`OUT/work/*.json`); one that fails leaves its traceback and the others go on, and all is packed at the end.
`--tiny` tries it all without a GPU.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from graph_alignment import compare, read_steps
from packed import pack, working_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKENS = 9
GRAPH, STATIC, HELD, EAGER = "graph", "static", "held", "eager"
WAYS, WITHOUT_GPU = (GRAPH, HELD, STATIC, EAGER), (STATIC, HELD, EAGER)
ROUNDS, ROUNDS_UNTIL_S = 4, 140.0
WITHIN, HOST_WITHIN = 0.01, 0.05
# Longer than a host under the profiler takes to launch a layer.
HOLD_CYCLES = 12_000_000
OTHERS = ("llava15", "video_llava", "hf:")


def main(out: Path, *, tiny: bool) -> None:
    """Run all parts."""
    out = working_folder(out)
    session = Session(out, tiny=tiny)
    parts: dict[str, Callable[[], Any]] = {"launch_floor": lambda: floor(tiny=tiny)}
    if not tiny:
        parts["host_layers"] = lambda: host_layers(out)
    parts["rounds"] = session.record_rounds
    parts["names"] = session.names
    for way in session.ways[1:]:
        parts[f"against_{way}"] = lambda way=way: session.against(way)
    parts["held_against_static"] = lambda: session.against(STATIC, first=HELD)
    parts |= {f"model_{name.strip(':')}": lambda name=name: other_model(out, name, tiny=tiny) for name in OTHERS}
    for name, part in parts.items():
        began = time.monotonic()
        try:
            found = part()
        except Exception:
            found = {"failed": traceback.format_exc()}
        (out / f"{name}.json").write_text(json.dumps(found, indent=1))
        print(f"[{time.monotonic() - began:6.1f} s] {name}: {_brief(found)}", flush=True)
    print("packed:", *pack(out, [f"{way}0.json.gz" for way in session.ways[:3]]), flush=True)


def _brief(found: Any, most: int = 6000) -> str:
    text = found["failed"] if isinstance(found, dict) and "failed" in found else json.dumps(found)
    return text if len(text) <= most else text[:most] + " ..."


class Quiet:
    """Of how far a recording is, nothing is said."""

    def begin(self, phase: str, steps: int) -> None:
        """A phase begins."""

    def advance(self) -> None:
        """A step of it is done."""


class Session:
    """One network, decoding in several ways."""

    def __init__(self, out: Path, *, tiny: bool) -> None:
        self._out, self._tiny = out, tiny
        self.ways = WITHOUT_GPU if tiny else WAYS
        self._models: dict[str, Any] = {}
        self._rounds = 0

    def record_rounds(self) -> dict[str, Any]:
        """Every way once a round, the order turned each time; how long each took."""
        began, took = time.monotonic(), {}
        self._models = self._build()
        took["build"] = time.monotonic() - began
        rounds = 2 if self._tiny else ROUNDS
        while self._rounds < rounds and (self._rounds < 2 or time.monotonic() - began < ROUNDS_UNTIL_S):
            turned = self.ways[:: -1 if self._rounds % 2 else 1]
            for way in turned:
                start = time.monotonic()
                self._record(way)
                took[f"{way}{self._rounds}"] = time.monotonic() - start
            self._rounds += 1
        self._models.clear()
        return {"rounds": self._rounds, "seconds": took}

    def _options(self, way: str) -> Any:
        from model.registry import ModelOptions

        place = {"size": "tiny", "device": "cpu", "dtype": "float32"}
        size = place if self._tiny else {"size": "7b", "device": "cuda", "dtype": "bfloat16"}
        return ModelOptions(**size, decode=STATIC if way == HELD else way, new_tokens=TOKENS)

    def _build(self) -> dict[str, Any]:
        from model.eventgpt.adapter import StagedEventGPT
        from model.eventgpt.builder import build_staged

        first = build_staged(self._options(EAGER))
        given = (first.network, first._size)
        return {way: StagedEventGPT(*given, self._options(way), prompt_ids=first._prompt_ids) for way in self.ways}

    def _record(self, way: str) -> None:
        with opened_instead(self._models[way]), held(self._models[way]) if way == HELD else nothing():
            record(self._out / f"{way}{self._rounds}.json.gz", "eventgpt", self._options(way), with_stack=True)

    def names(self) -> dict[str, Any]:
        """How much of decoding is in graphs, and how much of it has names."""
        return {
            f"{way}{number}": _named(self._out / f"{way}{number}.json.gz")
            for way in self.ways[:2]
            for number in range(self._rounds)
        }

    def against(self, way: str, first: str | None = None) -> dict[str, Any]:
        """The first way beside another."""
        first = first or self.ways[0]
        rounds = [
            (read_steps(self._out / f"{first}{number}.json.gz"), read_steps(self._out / f"{way}{number}.json.gz"))
            for number in range(self._rounds)
        ]
        return compare(rounds, WITHIN)


@contextmanager
def nothing() -> Iterator[None]:
    """Nothing."""
    yield


@contextmanager
def opened_instead(model: Any) -> Iterator[None]:
    """While open, what is recorded is this model, whatever the options name."""
    from tracer.recording import recorder

    @contextmanager
    def ours(_: object) -> Iterator[Any]:
        yield model

    before, recorder.opened = recorder.opened, ours
    try:
        yield
    finally:
        recorder.opened = before


@contextmanager
def held(model: Any) -> Iterator[None]:
    """While open, the device is held up before each layer, until the host has launched it."""
    import torch

    network = model.network
    layers = [one for one in network.modules() if type(one).__name__.endswith("DecoderLayer")]

    def hold(*_: object) -> None:
        if network.device.type == "cuda":
            torch.cuda._sleep(HOLD_CYCLES)

    handles = [one.register_forward_pre_hook(hold) for one in (network, *layers, network.get_output_embeddings())]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def record(path: Path, name: str, options: Any, *, with_stack: bool = False, verify: bool = False) -> None:
    """One request, warmed up by another."""
    from tracer.recording.options import RecordOptions
    from tracer.recording.recorder import record as run
    from tracer.recording.window import DecodeWindow, Schedule

    asked = RecordOptions(
        model=name, model_options=options, output=path, requests=1, max_new_tokens=TOKENS,
        schedule=Schedule(0, 1, 1, 1), window=DecodeWindow(1, TOKENS), verify=verify, with_stack=with_stack,
    )  # fmt: skip
    run(asked, Quiet())


def _named(path: Path) -> dict[str, Any]:
    from tracer.choices import Choices
    from tracer.summarize import summarize_file

    summary = summarize_file(path, Choices(by="module"))
    assert summary.breakdown is not None
    return {
        "graph_ops": summary.breakdown.graph_ops,
        "graph_ops_named": summary.breakdown.graph_ops_named,
        "abstained": [f"{one.what}: {one.reason}" for one in summary.abstained],
        "decode_ns": sum(one.device_time_ns or 0 for one in summary.stages if one.stage == "decode"),
        "tpot_ns": None if summary.latency is None else summary.latency.tpot_ns,
    }


def other_model(out: Path, name: str, *, tiny: bool) -> dict[str, Any]:
    """Another model's steps, from a graph and launched one by one, each verified against its own `generate`."""
    from model.registry import ModelOptions

    options = ModelOptions(size="tiny", device="cpu" if tiny else "cuda", dtype="float32", new_tokens=TOKENS)
    kept = name.strip(":")
    with tempfile.TemporaryDirectory() as folder:
        if name == "hf:":
            _configuration(Path(folder))
            name += folder
        found: dict[str, Any] = {}
        for way in (STATIC,) if tiny else (GRAPH, STATIC):
            path = out / f"{kept}_{way}.json.gz"
            record(path, name, replace(options, decode=way), with_stack=True, verify=True)
            found[way] = _named(path)
    if not tiny:
        steps = [read_steps(out / f"{kept}_{way}.json.gz") for way in (GRAPH, STATIC)]
        found["against_static"] = compare([(steps[0], steps[1])], WITHIN)["named_alike"]
    return found


def _configuration(folder: Path) -> None:
    """A folder with a configuration alone, of LLaVA's architecture."""
    from model.llava15.adapter import FAMILY

    FAMILY.config(FAMILY.sizes["tiny"]).save_pretrained(folder)


def floor(*, tiny: bool) -> dict[str, Any]:
    """What a launch costs at least; of four measurements each, to see how they differ."""
    import torch

    from tracer.recording.calibrate import launch_floor

    if tiny:
        return {"launch_ns": launch_floor(torch.device("cpu"))}
    return {"launch_ns": [launch_floor(torch.device("cuda")) for _ in range(4)]}


def host_layers(out: Path) -> dict[str, Any]:
    """Each planted span of the host against what the trace says of it."""
    import gpu_host_layers

    from tracer.summarize import summarize_file

    gpu_host_layers.main(out / "host")
    truth = json.loads((out / "host" / "truth.json").read_text())
    summary = summarize_file(out / "host" / "host_layers.json.gz")
    stage = {one.stage: one.host for one in summary.stages}
    token = {one.index: one.host for one in summary.tokens}
    pairs = {
        "sleep_ns": (stage["vision"].python_ns, truth["sleep_ns"]),
        "dispatch_ns": (stage["prefill"].dispatch_ns + stage["prefill"].python_ns, truth["dispatch_ns"]),
        "launches_ns": (token[1].total_ns, truth["launches_ns"]),
        "sync_ns": (token[2].sync_ns, truth["sync_ns"]),
    }
    return {
        name: {"trace": one, "clock": true, "off": one / true - 1, "within": abs(one / true - 1) <= HOST_WITHIN}
        for name, (one, true) in pairs.items()
    }


if __name__ == "__main__":
    given = [one for one in sys.argv[1:] if not one.startswith("--")]
    main(Path(given[0] if given else os.environ["OUT"]), tiny="--tiny" in sys.argv)

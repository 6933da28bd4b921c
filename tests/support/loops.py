"""Loops that repeat the same kernels, as bare traces: language models that answer, and what only looks like one."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from support.chrome import Event, call, kernel, launch, span, trace_of
from tracer.trace.columns import Trace

COPY = "Memcpy DtoH (Device -> Pinned)"


@dataclass
class Host:
    """One thread that launches kernels one after the other, and what it was doing."""

    events: list[Event] = field(default_factory=list)
    now: float = 0.0
    count: int = 0
    noise: random.Random = field(default_factory=lambda: random.Random(0))

    def ask(self, names: Iterable[str], us: float = 2.0, attention_us: float | None = None) -> None:
        """Launch these; a name with "flash" in it runs for `attention_us`."""
        for name in names:
            self.count += 1
            length = attention_us if attention_us is not None and "flash" in name else us
            length *= self.noise.uniform(0.98, 1.02)
            self.events.append(launch(self.now, 1, self.count))
            category = "gpu_memcpy" if name == COPY else "kernel"
            self.events.append(kernel(name, self.now + 2, length, self.count, cat=category))
            self.now += length + 3

    def replay(self, names: Sequence[str], us: float = 2.0) -> None:
        """Launch these by one graph."""
        self.count += 1
        self.events.append(call("cudaGraphLaunch", self.now, 1, self.count))
        for name in names:
            self.events.append(kernel(name, self.now + 2, us, self.count))
            self.now += us + 0.1
        self.now += 3

    def stage(self, name: str, begun: float) -> None:
        """Say what was done since a time, under a name that no reader of stages knows."""
        self.events.append(span(f"truth/{name}", begun, self.now - begun))

    def trace(self) -> Trace:
        """All of it."""
        return trace_of(*self.events)


LAYER_OF_PROMPT = (
    "norm",
    "gemm_128x256",
    "rotary",
    "flash_fwd",
    "gemm_128x128",
    "norm",
    "gemm_256x256",
    "silu",
    "gemm_64",
)
LAYER_OF_STEP = (
    "norm",
    "gemv_qkv",
    "rotary",
    "copy_k",
    "copy_v",
    "flash_splitkv",
    "gemv_o",
    "norm",
    "gemv_up",
    "silu",
    "gemv_d",
)
LAYER_OF_TOWER = ("layer_norm", "gemm_tower", "softmax_tower", "bmm", "gemm_tower", "gelu", "gemm_tower_2")
CHOICE = ("reduce_kernel<ArgMaxOps>", "cat", "fill", "compare", COPY)


def answer(
    host: Host,
    steps: int,
    *,
    layers: int = 4,
    tower: int = 0,
    grow: float = 0.0,
    choice: Sequence[str] = CHOICE,
    graph: bool = False,
    prompt: Sequence[str] = LAYER_OF_PROMPT,
) -> None:
    """One request to a language model."""
    if tower:
        begun = host.now
        host.ask(("im2col", *LAYER_OF_TOWER * tower, "project"))
        host.stage("vision", begun)
    if prompt:
        begun = host.now
        host.ask(("embedding", "arange", *prompt * layers, "norm", "gemm_head", *choice), 5)
        host.stage("prefill", begun)
    for step in range(steps):
        begun = host.now
        attention = "flash_splitkv" if step < steps // 2 else "flash_splitkv_4"
        layer = [attention if name == "flash_splitkv" else name for name in LAYER_OF_STEP]
        if graph:
            host.ask(("copy_input",))
            host.replay(("embedding", "arange", *layer * layers, "norm", "gemv_head"))
            host.ask(choice)
        else:
            names = ("embedding", "arange", *layer * layers, "norm", "gemv_head", *choice)
            host.ask(names, attention_us=2.0 + grow * step)
        host.stage(f"decode#{step + 1}", begun)

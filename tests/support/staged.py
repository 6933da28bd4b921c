"""A recording that was never made: requests in stages, as many kernels as are asked for, each with its launch."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

from support.chrome import call, kernel, launch, span
from support.manifests import MS, as_metadata
from tracer.document.manifest import Cost, Costs, Latencies, Shape

# Name, microseconds, grid, block, registers, shared memory, occupancy.
KERNELS = (
    ("ampere_bf16_s16816gemm_bf16_128x64_ldg8_f2f_stages_64x5_tn", 6.0, [16, 4, 1], [128, 1, 1], 96, 49152, 12),
    ("void at::native::elementwise_kernel<128, 4, MulFunctor<float>>(int)", 1.6, [128, 1, 1], [128, 1, 1], 32, 0, 50),
    ("flash_fwd_splitkv_kernel<Flash_fwd_kernel_traits<128, 64>>", 4.0, [1, 8, 32], [128, 1, 1], 255, 81920, 18),
    ("void at::native::vectorized_layer_norm_kernel<float>(int)", 2.0, [64, 1, 1], [64, 1, 1], 40, 1024, 61),
    ("void at::native::CatArrayBatchedCopy<unsigned, 4>(int)", 1.8, [132, 2, 1], [128, 1, 1], 30, 0, 70),
)  # fmt: skip
SLOW_STEPS = (23, 24, 41)


class _Run:
    """Time goes on as things are asked for."""

    def __init__(self, seed: int) -> None:
        self.events: list[dict[str, Any]] = []
        self.host, self.device, self.number = 1000.0, 1010.0, 1
        self.chance = random.Random(seed)

    def stage(self, name: str, ops: int, *, slow: float = 1.0, pause: float = 4.0) -> float:
        """A stage of so many ops, and how long it took in microseconds."""
        begin, between = self.host, self.chance.uniform
        self.host += 15
        for _ in range(ops):
            title, us, grid, block, registers, shared, occupancy = self.chance.choice(KERNELS)
            takes = between(2.5, 4.5)
            self.events.append(launch(round(self.host, 3), round(takes, 3), self.number))
            start, lasts = max(self.device, self.host + between(3, 8)), us * slow * between(0.8, 1.3)
            how = {"grid": grid, "block": block, "registers per thread": registers, "shared memory": shared,
                   "est. achieved occupancy %": occupancy}  # fmt: skip
            stream = 20 if self.chance.random() < 0.03 else 7
            self.events.append(kernel(title, round(start, 3), round(lasts, 3), self.number, stream=stream, args=how))
            self.device, self.number = start + lasts, self.number + 1
            self.host += takes + between(0.2, pause)
        waits = max(4.0, self.device - self.host + 4)
        self.events.append(call("cudaStreamSynchronize", round(self.host, 3), round(waits, 3), self.number))
        self.number += 1
        self.host += waits + 8
        self.events.append(span(f"tracer/{name}", round(begin, 3), round(self.host - begin, 3)))
        self.host += 12
        return self.host - begin


def staged_trace(path: Path, *, steps: int = 60, ops: int = 60, slow: float = 1.0, seed: int = 1, **more: Any) -> Path:
    """Write it; `more` are keys of its manifest."""
    run = _Run(seed)
    begin = run.host
    took = [run.stage("load", 0), run.stage("preprocess", 2), run.stage("vision", ops, slow=1.3 * slow, pause=9)]
    took.append(run.stage("prefill", ops, slow=4 * slow))
    pauses = [30.0 if step in SLOW_STEPS else 5.0 for step in range(1, steps + 1)]
    took += [run.stage(f"decode#{step}", ops, slow=slow, pause=pause) for step, pause in enumerate(pauses, 1)]
    run.events.append(span("tracer/request#0", begin - 5, round(run.host - begin + 5, 3)))
    clean = [_like(took, run.chance.gauss(0.7, 0.01)) for _ in range(10)]
    cost = Cost(flops=int(13e9), weight_bytes=int(6e9), kv_bytes=int(3e8))
    metadata = as_metadata(
        clean,
        device={"type": "cuda", "name": "NVIDIA H200"},
        shape=Shape(batch_size=1, frames=5, visual_tokens=582, prompt_tokens=64, new_tokens=steps + 1),
        profiled=[_like(took, 1.0)],
        cost=Costs(
            vision=Cost(flops=int(2e12), weight_bytes=int(6e8), kv_bytes=0),
            prefill=Cost(flops=int(4e12), weight_bytes=int(6e9), kv_bytes=int(3e8)),
            decode=[cost] * steps,
        ),
        **more,
    )
    device = {"id": 0, "name": "NVIDIA H200"}
    text = json.dumps({"schemaVersion": 1, "deviceProperties": [device], "tracer": metadata, "traceEvents": run.events})
    path.write_bytes(gzip.compress(text.encode(), 1) if path.suffix == ".gz" else text.encode())
    return path


def _like(took: list[float], share: float) -> Latencies:
    load, preprocess, vision, prefill, *decode = [round(us * share * 1000) for us in took]
    return Latencies(
        load_ns=load + MS // 10, preprocess_ns=preprocess, vision_ns=vision, prefill_ns=prefill, decode_ns=decode
    )

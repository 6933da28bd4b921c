"""Manifests of recordings that were never made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tracer.document.manifest import Latencies, Manifest, Sample, Shape, Verification, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

MS = 1_000_000


def latencies(
    vision_ms: float = 30, *, prefill_ms: float = 50, step_ms: float = 20, tokens: int = 3, sample: int = 0
) -> Latencies:
    """One request; load takes 1 ms, preprocess 2 ms."""
    return Latencies(
        load_ns=MS, preprocess_ns=2 * MS, vision_ns=round(vision_ms * MS), prefill_ns=round(prefill_ms * MS),
        decode_ns=[round(step_ms * MS)] * (tokens - 1), sample=sample,
    )  # fmt: skip


def sample(name: str, *, visual: int = 582, prompt: int = 64, tokens: int = 3, batch_size: int = 1) -> Sample:
    return Sample(
        name=name, batch_size=batch_size, frames=5, visual_tokens=visual, prompt_tokens=prompt, new_tokens=tokens
    )


def manifest(clean: Sequence[Latencies], **changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "schema": "tracer.manifest/1", "version": "1.2.3",
        "model": {"name": "eventgpt", "size": "7b", "weights": "random", "input": "synthetic"},
        "software": {"torch": "2.13.0"}, "device": {"type": "cuda", "name": "GPU"}, "dtype": "bfloat16", "seed": 0,
        "shape": Shape(batch_size=1, frames=5, visual_tokens=582, prompt_tokens=64, new_tokens=3),
        "coupled": False, "synchronised": False, "clock": "cuda_event", "options": {},
        "verification": Verification(status="passed", tokens=3), "clean": list(clean), "profiled": [],
    }  # fmt: skip
    return Manifest(**{**fields, **changes})


def as_metadata(clean: Sequence[Latencies], **changes: Any) -> Any:
    """The same as the value of a trace's key `tracer`."""
    return json.loads(encode(manifest(clean, **changes)))

"""What `gpu_repetition.py` and its kinds share: ranges that say what is right, random weights, recording."""

from __future__ import annotations

import gzip
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch.profiler import ProfilerActivity, profile, record_function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Run = Callable[[], None]

VOCABULARY = 32000
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# What tells of work and of ranges; operators are not asked about.
KEPT = {"kernel", "gpu_memcpy", "gpu_memset", "cuda_runtime", "cuda_driver", "user_annotation"}


def record(ways: Iterable[tuple[str, Callable[[], Run]]], folder: Path) -> None:
    """Record each way, once it ran; a way that fails costs no other."""
    folder.mkdir(parents=True, exist_ok=True)
    others = ProcessPoolExecutor(4, mp_context=get_context("fork"))
    writing = [others.submit(len, "") for _ in range(4)]  # which begins them before the device is in use
    print(torch.__version__, transformers.__version__, DEVICE, flush=True)
    until = time.monotonic() + float(os.environ.get("SECONDS_AT_MOST", "100000"))
    for name, make in ways:
        begun = time.monotonic()
        if begun > until:
            print(name, "not begun", flush=True)
            continue
        torch.manual_seed(0)
        try:
            with torch.device(DEVICE):
                run = make()
            run()
            _wait()
            with profile(
                activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA][: 1 + (DEVICE == "cuda")]
            ) as profiler:
                run()
                _wait()
            whole = folder / f"{name}.whole"
            profiler.export_chrome_trace(str(whole))
            writing.append(others.submit(_write_slim, whole, folder / f"{name}.json.gz"))
            print(name, f"{time.monotonic() - begun:.1f} s", flush=True)
        except Exception as error:
            print(name, "failed:", repr(error)[:300], flush=True)
            if os.environ.get("SHOW"):
                import traceback

                traceback.print_exc()
        run = make = profiler = None
        if DEVICE == "cuda":
            torch.cuda.empty_cache()
    for one in writing:
        one.result()
    others.shutdown()


def _wait() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def _write_slim(source: Path, target: Path) -> None:
    whole = json.loads(source.read_bytes())
    source.unlink()
    kept = [event for event in whole["traceEvents"] if event.get("ph") == "M" or event.get("cat") in KEPT]
    for event in kept:
        if event.get("cat") != "kernel" and "args" in event and event["ph"] != "M":
            known = ("correlation", "device", "stream", "bytes", "context")
            event["args"] = {key: value for key, value in event["args"].items() if key in known}
    whole["traceEvents"] = kept
    target.write_bytes(gzip.compress(json.dumps(whole, separators=(",", ":")).encode(), 5, mtime=0))


class Truth:
    """Puts a range around each forward pass of a model, and around those of its encoder."""

    def __init__(self, model: Any, tower: Any = None, chunks: int = 1) -> None:
        self.passes, self.chunks = 0, chunks
        self._around(model, self._name)
        if tower is not None:
            self._around(tower, lambda: "truth/vision")

    def _name(self) -> str:
        self.passes += 1
        return "truth/decode" if self.passes > self.chunks else "truth/prefill"

    def _around(self, module: Any, name: Callable[[], str]) -> None:
        open_ranges: list[Any] = []

        def before(*_: Any) -> None:
            open_ranges.append(record_function(name()))
            open_ranges[-1].__enter__()

        def after(*_: Any) -> None:
            open_ranges.pop().__exit__(None, None, None)

        module.register_forward_pre_hook(before)
        module.register_forward_hook(after)


def shapes(hidden: int, layers: int, heads: int = 0, **more: Any) -> dict[str, Any]:
    """Of a network, by the names by which most configurations know them."""
    heads = heads or max(1, hidden // 64)
    return {
        "vocab_size": VOCABULARY, "hidden_size": hidden, "intermediate_size": hidden * 11 // 4,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": max(1, heads // 4),
        "max_position_embeddings": 8192, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, **more,
    }  # fmt: skip


def causal(
    kind: str, hidden: int = 1024, layers: int = 8, *, attention: str = "sdpa", dtype: Any = torch.bfloat16, **more: Any
) -> Any:
    """A language model with random weights."""
    config = transformers.AutoConfig.for_model(kind, **shapes(hidden, layers) | more)
    return ready(transformers.AutoModelForCausalLM.from_config(config, attn_implementation=attention), dtype)


def ready(model: Any, dtype: Any = torch.bfloat16) -> Any:
    """The model as it answers."""
    model = model.to(DEVICE, dtype).eval()
    if hasattr(model, "generation_config"):
        model.generation_config.pad_token_id = 0
    return model


def words(batch: int, length: int, most: int = VOCABULARY - 100) -> torch.Tensor:
    """Random tokens."""
    return torch.randint(5, most, (batch, length), device=DEVICE)


def answers(
    model: Any,
    *lengths: int,
    batch: int = 1,
    tokens: int = 16,
    truth: Truth | None = None,
    seen: Any = None,
    **options: Any,
) -> Run:
    """Requests to `generate` one after the other, of prompts of these lengths, with what else each sees."""
    truth = Truth(model) if truth is None else truth
    prompts: list[dict[str, Any]] = [{"input_ids": words(batch, length)} for length in lengths] or [{}]
    for prompt in prompts:
        prompt.update(seen or {})
        if "input_ids" in prompt and "attention_mask" not in prompt:
            prompt["attention_mask"] = torch.ones_like(prompt["input_ids"])

    @torch.no_grad()
    def run() -> None:
        for number, prompt in enumerate(prompts):
            truth.passes = 0
            new = tokens + 3 * number
            model.generate(**prompt, max_new_tokens=new, min_new_tokens=new, **{"do_sample": False, **options})

    return run


def noise(*shape: int, dtype: Any = torch.bfloat16) -> torch.Tensor:
    return torch.randn(*shape, device=DEVICE, dtype=dtype)


def over_batches(model: Any, batches: list[dict[str, Any]], after: Callable[[Any], object]) -> Run:
    """A forward pass for each batch, and what is done with each."""

    @torch.no_grad()
    def run() -> None:
        for batch in batches:
            after(model(**batch))

    return run

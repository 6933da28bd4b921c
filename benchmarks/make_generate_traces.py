"""Record transformers' `generate` in the ways that people call it, with networks of a few thousand weights, on a CPU.

    python benchmarks/make_generate_traces.py OUT_FOLDER [NAME ...]

Writes `generate_<major>_<minor>_<name>.json.gz` for the transformers installed: its functions, and so its frames,
differ between 4.x and 5.x. Each forward pass lies in a range `truth/prefill` or `truth/decode#k`, and what the vision
tower does in `truth/vision`, set where the model itself is called: nothing that reads traces knows these names, so that
they say what the right stage of each operator is. Of the Python frames only transformers' own and modules' are kept, of
operators the outermost: else the files are ten times as long.
"""

from __future__ import annotations

import gzip
import inspect
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch.profiler import ProfilerActivity, profile, record_function
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    T5Config,
    T5ForConditionalGeneration,
)

if TYPE_CHECKING:
    from collections.abc import Callable

VOCABULARY, IMAGE_TOKEN = 128, 127
MAJOR = int(transformers.__version__.partition(".")[0])


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or WAYS:
        torch.manual_seed(0)
        run = WAYS[name]()
        profiler = profile(activities=[ProfilerActivity.CPU], with_stack=True, record_shapes=True)
        with torch.no_grad():
            run()  # what happens the first time alone is left out
            if name == "midway":
                run(_StartsProfiler(profiler))
            else:
                profiler.start()
                run()
            profiler.stop()
        major, minor = transformers.__version__.split(".")[:2]
        path = folder / f"generate_{major}_{minor}_{name}.json.gz"
        _write(profiler, path)
        print(path, path.stat().st_size)


def _write(profiler: Any, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        profiler.export_chrome_trace(str(Path(folder) / "whole.json"))
        document = json.loads((Path(folder) / "whole.json").read_text())
    document["traceEvents"] = _outermost([event for event in map(_kept, document["traceEvents"]) if event is not None])
    document["traceName"] = path.name
    path.write_bytes(gzip.compress(json.dumps(document, separators=(",", ":")).encode(), 9, mtime=0))


def _kept(event: dict[str, Any]) -> dict[str, Any] | None:
    name, category = str(event.get("name")), event.get("cat")
    if category == "python_function":
        own = "transformers/generation/" in name or "prepare_inputs_for_generation" in name
        if not own and not name.startswith("nn.Module: "):
            return None
        return {**event, "name": name[name.find("transformers/") :] if own else name, "args": {}}
    if category == "cpu_op":
        told = name in ("aten::linear", "aten::scaled_dot_product_attention")
        args = {"Input Dims": event["args"]["Input Dims"]} if told else {}
        return {**event, "args": args} if name.startswith("aten::") else None
    return event if category in ("user_annotation", "Trace") or event.get("ph") == "M" else None


def _outermost(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the operators that lie in another."""
    until: dict[Any, float] = {}
    kept = []
    for event in sorted(events, key=lambda event: float(event["ts"])):
        if event.get("cat") == "cpu_op":
            start = float(event["ts"])
            if start < until.get(event["tid"], 0.0):
                continue
            until[event["tid"]] = start + float(event["dur"])
        kept.append(event)
    return kept


class Truth:
    """Puts ranges around the passes of a model, from the moment it is made."""

    def __init__(self, model: Any, tower: Any = None) -> None:
        self.passes = 0  # set to 0 in front of each call of `generate`
        _around(model, self._name)
        if tower is not None:
            _around(tower, lambda: "truth/vision")

    def _name(self) -> str:
        self.passes += 1
        return f"truth/decode#{self.passes - 1}" if self.passes > 1 else "truth/prefill"


def _around(module: Any, name: Callable[[], str]) -> None:
    forward = module.forward

    def ranged(*arguments: Any, **named: Any) -> Any:
        with record_function(name()):
            return forward(*arguments, **named)

    ranged.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]
    module.forward = ranged


def _llama(layers: int = 1, width: int = 32) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=width, intermediate_size=64, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    model.generation_config.pad_token_id = 0
    return model


def _text(*, batch: int = 1, calls: int = 1, length: int = 12, **options: Any) -> Callable[..., None]:
    model = _llama()
    truth = Truth(model)
    prompt = torch.randint(2, 100, (batch, length))
    tokens = options.pop("max_new_tokens", 5)

    def run(streamer: _Streamer | None = None) -> None:
        given = options if streamer is None else {**options, "streamer": streamer}
        for _ in range(calls):
            truth.passes = 0
            model.generate(prompt, max_new_tokens=tokens, min_new_tokens=tokens, **given)

    return run


class _Streamer:
    def put(self, value: Any) -> None:
        value.cpu()

    def end(self) -> None:
        pass


class _StartsProfiler(_Streamer):
    """Begins to record between the second token and the third."""

    def __init__(self, profiler: Any) -> None:
        self._profiler, self._tokens = profiler, -1  # the prompt is put first

    def put(self, _value: Any) -> None:
        self._tokens += 1
        if self._tokens == 2:
            self._profiler.start()


def _assisted() -> Callable[[], None]:
    return _text(assistant_model=_llama(1, 16), do_sample=False, max_new_tokens=4)


def _lookup() -> Callable[[], None]:
    return _text(prompt_lookup_num_tokens=2, do_sample=False, length=20)


def _pictures() -> Callable[[], None]:
    """A picture with a question, then a question alone."""
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=28,
            patch_size=14, projection_dim=32,
        ),
        text_config=_llama().config, image_token_index=IMAGE_TOKEN, image_seq_length=4,
        vision_feature_select_strategy="default",
    )  # fmt: skip
    model = LlavaForConditionalGeneration(config).eval()
    model.generation_config.pad_token_id = 0
    tower = model.vision_tower if hasattr(model, "vision_tower") else model.model.vision_tower
    truth = Truth(model, tower)
    text = torch.randint(2, 100, (1, 10))
    prompt = torch.cat([torch.full((1, 4), IMAGE_TOKEN), text], dim=1)
    picture = torch.randn(1, 3, 28, 28)

    def run() -> None:
        seen: dict[str, Any] = {"input_ids": prompt, "pixel_values": picture}
        # LLaVA of transformers 4.46 fails without a picture.
        for inputs in (seen, {"input_ids": text} if MAJOR > 4 else seen):
            mask = torch.ones_like(inputs["input_ids"])
            truth.passes = 0
            model.generate(**inputs, attention_mask=mask, max_new_tokens=3, min_new_tokens=3, do_sample=False)

    return run


def _translation() -> Callable[[], None]:
    """An encoder-decoder."""
    config = T5Config(
        vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_decoder_layers=1, num_heads=4,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config).eval()
    truth = Truth(model)
    prompt = torch.randint(2, 100, (1, 12))

    def run() -> None:
        truth.passes = 0
        model.generate(prompt, max_new_tokens=5, min_new_tokens=5, do_sample=False)

    return run


WAYS: dict[str, Callable[[], Callable[..., None]]] = {
    "greedy": lambda: _text(do_sample=False),
    "sampling": lambda: _text(do_sample=True, batch=2),
    "streaming": lambda: _text(do_sample=False, calls=2, streamer=_Streamer(), max_new_tokens=3),
    "midway": lambda: _text(do_sample=False, max_new_tokens=6),
    "beams": lambda: _text(num_beams=3, do_sample=False),
    "static": lambda: _text(cache_implementation="static", do_sample=False),
    "assisted": _assisted,
    "lookup": _lookup,
    "pictures": _pictures,
    "translation": _translation,
}
if MAJOR < 5:
    WAYS["contrastive"] = lambda: _text(penalty_alpha=0.6, top_k=3, do_sample=False)

if __name__ == "__main__":
    main()

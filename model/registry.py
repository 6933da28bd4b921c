"""The built-in models by name. Listing them imports none of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from model.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from model.staged import StagedModel


# How decode steps are made: as transformers does, over a static cache, from a CUDA graph, or compiled.
EAGER, STATIC, GRAPH, COMPILE = "eager", "static", "graph", "compile"
DECODE_MODES = (EAGER, STATIC, GRAPH, COMPILE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """What a person may ask of a built-in model.

    Attributes:
        size: a name from `ModelEntry.sizes`; ignored when a checkpoint decides.
        checkpoint: a folder with config.json, tokenizer files and weights.
        prompt: text for the checkpoint's tokenizer.
        prompt_tokens: length of the random prompt used without a checkpoint.
        events: an event file or a folder of frames; None asks for the synthetic stream.
        frames: pictures per request; None takes the model's default.
        batch_frames: encode all pictures in one call instead of one at a time.
        decode: how decode steps are made, one of `DECODE_MODES`.
        new_tokens: longest answer, which a static cache needs to know.
        dtype: "float32", "bfloat16" or "float16".
        device: a torch device string.
        seed: of the random weights, prompt and synthetic stream.
    """

    size: str
    device: str
    dtype: str
    seed: int = 0
    checkpoint: Path | None = None
    prompt: str | None = None
    prompt_tokens: int = 64
    events: Path | None = None
    frames: int | None = None
    batch_frames: bool = False
    decode: str = EAGER
    new_tokens: int = 64


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One line of `tracer models`."""

    name: str
    summary: str
    sizes: tuple[str, ...]
    module: str

    def build(self, options: ModelOptions) -> StagedModel[Any, Any]:
        """Import the model's package and build it.

        Raises:
            ModelError: the options, the checkpoint or the input cannot be right.
        """
        built: StagedModel[Any, Any] = import_module(self.module).build(options)
        return built


MODELS = {
    entry.name: entry
    for entry in (
        ModelEntry(
            name="eventgpt",
            summary="event-camera frames, CLIP ViT-L/14-336, 2-layer projector, LLaMA-7B",
            sizes=("tiny", "7b"),
            module="model.eventgpt",
        ),
    )
}


def find(name: str) -> ModelEntry:
    """Return the built-in model called `name`.

    Raises:
        ModelError: there is none.
    """
    try:
        return MODELS[name]
    except KeyError:
        raise ModelError(f"unknown model {name!r}: choose from {', '.join(sorted(MODELS))}") from None

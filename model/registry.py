"""The built-in models by name. Listing them imports none of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import ModelError

if TYPE_CHECKING:
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
        input: an event file, a picture, a video or a folder of pictures; None asks for the synthetic stream.
        dataset: a folder of such samples, or an instruction file, instead.
        max_samples: so many of the data set's at most.
        shuffle_seed: of the order in which they come; None keeps theirs.
        batch_size: sequences per request.
        frames: pictures per sequence; None takes the model's default.
        batch_frames: encode all pictures in one call instead of one at a time.
        decode: how decode steps are made, one of `DECODE_MODES`.
        new_tokens: longest answer, which a static cache needs to know.
        dtype: "float32", "bfloat16" or "float16".
        device: a torch device string.
        seed: of the random weights, prompts and synthetic streams.
        no_limit: read samples of any size.
        rank, ranks: which part of the decoder is kept, of how many; of one rank it is whole.
    """

    size: str
    device: str
    dtype: str
    seed: int = 0
    checkpoint: Path | None = None
    prompt: str | None = None
    prompt_tokens: int = 64
    input: Path | None = None
    dataset: Path | None = None
    max_samples: int | None = None
    shuffle_seed: int | None = None
    batch_size: int = 1
    frames: int | None = None
    batch_frames: bool = False
    decode: str = EAGER
    new_tokens: int = 64
    no_limit: bool = False
    rank: int = 0
    ranks: int = 1


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One line of `tracer models`, or a folder that is a model.

    Attributes:
        name, summary: for people.
        sizes: the smallest first; empty where a folder decides.
        module: has a function `build` that takes `ModelOptions`.
        folder: of the checkpoint, where that is the model.
    """

    name: str
    summary: str
    sizes: tuple[str, ...]
    module: str
    folder: Path | None = None

    def build(self, options: ModelOptions) -> StagedModel[Any, Any]:
        """Import the model's package and build it.

        Raises:
            ModelError: the options, the checkpoint or the input cannot be right.
        """
        if self.folder is not None:
            options = replace(options, checkpoint=self.folder)
        built: StagedModel[Any, Any] = import_module(self.module).build(options)
        return built


# Before the name of a folder: any model of transformers.
HF_PREFIX = "hf:"

MODELS = {
    entry.name: entry
    for entry in (
        ModelEntry(
            name="eventgpt",
            summary="event-camera frames, CLIP ViT-L/14-336, 2-layer projector, LLaMA-7B",
            sizes=("tiny", "7b"),
            module="model.eventgpt",
        ),
        ModelEntry(
            name="llava15",
            summary="LLaVA-1.5: one image, CLIP ViT-L/14-336, 2-layer projector, Vicuna-7B; 576 visual tokens",
            sizes=("tiny", "7b"),
            module="model.llava15",
        ),
        ModelEntry(
            name="video_llava",
            summary="Video-LLaVA: 8 frames of 224 pixels, LanguageBind ViT-L/14, Vicuna-7B; 2,056 visual tokens",
            sizes=("tiny", "7b"),
            module="model.video_llava",
        ),
    )
}


def find(name: str) -> ModelEntry:
    """Return the built-in model called `name`.

    `hf:FOLDER` means the checkpoint, or the configuration alone, in a folder of the disk.

    Raises:
        ModelError: there is none.
    """
    if name.startswith(HF_PREFIX):
        folder = Path(name.removeprefix(HF_PREFIX))
        return ModelEntry(name=name, summary="", sizes=(), module="model.hf", folder=folder)
    try:
        return MODELS[name]
    except KeyError:
        raise ModelError(
            f"unknown model {name!r}: choose from {', '.join(sorted(MODELS))}, or {HF_PREFIX}FOLDER"
        ) from None

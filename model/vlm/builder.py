"""Building such a model: from a checkpoint folder, or at a published size with seeded random weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from model.configs import text_size, vision_size
from model.errors import CheckpointError, InputError, ModelError
from model.parallel import split
from model.pretrained import load_network
from model.sizes import VLMSize
from model.vlm.adapter import StagedVLM
from model.weights import allocate, load_tokenizer, random_prompt, randomise

if TYPE_CHECKING:
    from model.inputs.samples import Sample
    from model.registry import ModelOptions
    from model.vlm.family import Family

DEFAULT_PROMPT = "What is happening here?"


def build_staged(family: Family, options: ModelOptions) -> StagedVLM:
    """Build a model of the family from a checkpoint folder, or at a published size with seeded random weights.

    Raises:
        ModelError: the options, the checkpoint or the input cannot be right.
    """
    model = _from_checkpoint(family, options) if options.checkpoint else _random(family, options)
    # The first sample is prepared and all prompts measured before anything is timed, so that what is bad stops the run.
    visual = model.shape(model.prepare(model.load())).visual_tokens
    positions = model.network.config.get_text_config().max_position_embeddings
    for name, length in model.prompt_lengths():
        if length >= positions:
            raise InputError(
                f"{name}: {visual} visual and {length - visual} prompt tokens do not fit the decoder's "
                f"{positions} positions: use a shorter prompt or fewer frames"
            )
    return model


def _random(family: Family, options: ModelOptions) -> StagedVLM:
    if options.prompt is not None:
        raise InputError("--prompt needs a checkpoint with a tokenizer; without one, use --prompt-tokens")
    try:
        size = family.sizes[options.size]
    except KeyError:
        raise ModelError(f"{family.name} has no size {options.size!r}: choose from {', '.join(family.sizes)}") from None
    config = family.config(size)
    network = allocate(lambda: family.network(config), options, f"{family.name} {size.name}")
    # None in the configuration would be filled in again from transformers' defaults.
    network.generation_config.eos_token_id = None
    network.generation_config.pad_token_id = 0
    randomise(network, network.device, options.seed)
    split(network, size.text, options)
    placeholder: int = getattr(config, family.placeholder_key)
    # Placeholders of any kind are the vocabulary's last ids.
    words = min(placeholder, config.image_token_id)

    def prompt_ids(sample: Sample, visual_tokens: int) -> list[int]:
        row = random_prompt(options.prompt_tokens, words, sample.seed)
        middle = 1 + (len(row) - 1) // 2
        return [*row[:middle], *[placeholder] * visual_tokens, *row[middle:]]

    return StagedVLM(family, network, size, options, prompt_ids=prompt_ids)


def _from_checkpoint(family: Family, options: ModelOptions) -> StagedVLM:
    folder = options.checkpoint
    assert folder is not None  # noqa: S101 -- the caller chose by it
    network = load_network(family.network, folder, options)
    size = VLMSize(
        name=folder.resolve().name,
        vision=vision_size(network.config.vision_config),
        text=text_size(network.config.text_config),
        frames=next(iter(family.sizes.values())).frames,
    )
    size = replace(size, text=replace(size.text, vocabulary=network.get_input_embeddings().num_embeddings))
    split(network, size.text, options)
    tokenizer = load_tokenizer(folder)
    placeholder: int = getattr(network.config, family.placeholder_key)
    if tokenizer.convert_tokens_to_ids(family.placeholder) != placeholder:
        raise CheckpointError(
            f"{folder}: its tokenizer has no {family.placeholder} with the id {placeholder} of config.json"
        )
    blocks = 1 if family.frame_axis else options.frames or size.frames

    def prompt_ids(sample: Sample, visual_tokens: int) -> list[int]:
        question = sample.prompt or options.prompt or DEFAULT_PROMPT
        text = f"USER: {(family.placeholder + chr(10)) * blocks}{question} ASSISTANT:"
        row: list[int] = []
        for token in tokenizer(text).input_ids:
            row += [placeholder] * (visual_tokens // blocks) if token == placeholder else [token]
        return row

    return StagedVLM(family, network, size, options, prompt_ids=prompt_ids)

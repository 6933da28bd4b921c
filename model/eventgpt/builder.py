"""Building EventGPT: from a checkpoint folder, or at a published size with seeded random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.configs import text_config, vision_config
from model.errors import CheckpointError, InputError, ModelError
from model.eventgpt import checkpoint
from model.eventgpt.adapter import StagedEventGPT
from model.eventgpt.network import EVENT_TOKEN_INDEX, EventGPT
from model.eventgpt.prompt import DEFAULT_PROMPT, TEMPLATE, add_marks, tokenize
from model.eventgpt.sizes import SIZES
from model.parallel import split
from model.weights import allocate, load_tokenizer, random_prompt, randomise

if TYPE_CHECKING:
    from model.inputs.samples import Sample
    from model.registry import ModelOptions
    from model.sizes import VLMSize


def build_staged(options: ModelOptions) -> StagedEventGPT:
    """Build EventGPT from a checkpoint folder, or at a published size with seeded random weights.

    Raises:
        ModelError: the options, the checkpoint or the events cannot be right.
    """
    if options.frames is not None and options.frames < 1:
        raise InputError("--frames must be at least 1")
    model = _from_checkpoint(options) if options.checkpoint else _random(options)
    _check_input(model)
    return model


def _check_input(model: StagedEventGPT) -> None:
    """Prepare the first sample and measure the others' prompts before anything is timed: what is bad stops the run."""
    model.prepare(model.load())
    positions = model.network.config.max_position_embeddings
    for sample in model.all_samples:
        if (length := model.length(sample)) >= positions:
            visual = model.visual_tokens(sample)
            raise InputError(
                f"{sample.name}: {visual} visual and {length - visual} prompt tokens do not fit the decoder's "
                f"{positions} positions: use a shorter prompt or fewer frames"
            )


def _random(options: ModelOptions) -> StagedEventGPT:
    if options.prompt is not None:
        raise InputError("--prompt needs a checkpoint with a tokenizer; without one, use --prompt-tokens")
    try:
        size = SIZES[options.size]
    except KeyError:
        raise ModelError(f"eventgpt has no size {options.size!r}: choose from {', '.join(SIZES)}") from None
    network = _network(size, options, eos_token_id=None)
    randomise(network, network.device, options.seed)
    split(network, size.text, options)

    def prompt_ids(sample: Sample) -> list[int]:
        row = random_prompt(options.prompt_tokens, size.text.vocabulary, sample.seed)
        middle = 1 + (len(row) - 1) // 2
        return [*row[:middle], EVENT_TOKEN_INDEX, *row[middle:]]

    return StagedEventGPT(network, size, options, prompt_ids=prompt_ids)


def _from_checkpoint(options: ModelOptions) -> StagedEventGPT:
    folder = options.checkpoint
    assert folder is not None  # noqa: S101 -- the caller chose by it
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: not a checkpoint folder")
    size = checkpoint.read_size(folder)
    checkpoint.find_shards(folder)  # a folder without weights is refused before gigabytes are allocated
    tokenizer = load_tokenizer(folder)
    add_marks(tokenizer, checkpoint.read_json(folder / "config.json"))
    stop_id = tokenizer.eos_token_id
    network = _network(size, options, eos_token_id=stop_id)
    checkpoint.load_weights(network, folder)
    split(network, size.text, options)

    def prompt_ids(sample: Sample) -> list[int]:
        row = tokenize(tokenizer, TEMPLATE.format(prompt=sample.prompt or options.prompt or DEFAULT_PROMPT))
        if max(row) >= size.text.vocabulary:
            raise CheckpointError(
                f"{folder}: its tokenizer gives the id {max(row)}, beyond config.json's vocab_size "
                f"{size.text.vocabulary}"
            )
        return row

    return StagedEventGPT(
        network,
        size,
        options,
        prompt_ids=prompt_ids,
        stop_ids=frozenset() if stop_id is None else frozenset({stop_id}),
    )


def _network(size: VLMSize, options: ModelOptions, *, eos_token_id: int | None) -> EventGPT:
    """Build the network with weights that are about to be overwritten."""
    network = allocate(
        lambda: EventGPT(
            text_config(size.text, bos_token_id=1, eos_token_id=eos_token_id, pad_token_id=0),
            vision_config(size.vision),
            batch_frames=options.batch_frames,
        ),
        options,
        f"EventGPT {size.name}",
    )
    # None in the configuration would be filled in again from transformers' defaults.
    network.generation_config.eos_token_id = eos_token_id
    return network

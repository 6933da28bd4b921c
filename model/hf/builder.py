"""Building the model of a folder: with its weights, or with random ones where it has only a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import transformers

from model.errors import CheckpointError, InputError, ModelError
from model.hf.adapter import StagedFolder
from model.pretrained import check_folder, load_network
from model.registry import EAGER
from model.weights import allocate, first_line, only_this_folder, randomise

if TYPE_CHECKING:
    from pathlib import Path

    from model.registry import ModelOptions

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")


def build_staged(options: ModelOptions) -> StagedFolder:
    """Build the model of a folder: with its weights, or with random ones where it has only a configuration.

    Raises:
        ModelError: the options, the folder or the input cannot be right.
    """
    folder = options.checkpoint
    assert folder is not None  # noqa: S101 -- that is what the model is
    check_folder(folder)
    only_this_folder()
    if options.decode != EAGER:
        raise ModelError(f"--decode {options.decode}: {folder} makes its steps as transformers does, eagerly")
    if options.frames not in (None, 1):
        raise InputError(f"--frames {options.frames}: {folder} is given one picture for each sequence")
    processor = _processor(folder)
    if processor is None and options.prompt is not None:
        raise InputError(f"--prompt needs a processor in {folder}; without one, use --prompt-tokens")
    has_weights = any(any(folder.glob(pattern)) for pattern in WEIGHTS)
    auto = transformers.AutoModelForImageTextToText
    network = load_network(auto, folder, options) if has_weights else _random(auto, folder, options)
    try:
        return StagedFolder(network, processor, options, weights="checkpoint" if has_weights else "random")
    except (ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise InputError(
            f"{folder}: {type(network).__name__} cannot be fed here ({type(error).__name__}: {first_line(error)})"
        ) from error


def _processor(folder: Path) -> Any:
    """The processor whose files lie in the folder; None if there are none."""
    if not any((folder / name).is_file() for name in PROCESSOR_FILES):
        return None
    try:
        processor = transformers.AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # damaged files raise nearly anything
        raise CheckpointError(f"{folder}: its processor cannot be loaded ({first_line(error)})") from None
    if getattr(processor, "tokenizer", None) is not None:
        processor.tokenizer.padding_side = "left"
    return processor


def _random(auto: Any, folder: Path, options: ModelOptions) -> Any:
    """A network of the folder's configuration, with seeded random weights that never say stop."""
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        network = allocate(lambda: auto.from_config(config), options, str(folder))
    except ModelError:
        raise
    except Exception as error:  # wrong configurations raise nearly anything
        raise CheckpointError(f"{folder}: no image-text-to-text model of transformers ({first_line(error)})") from None
    network.generation_config.eos_token_id = None
    network.generation_config.pad_token_id = 0
    randomise(network, network.device, options.seed)
    return network

"""Building the model of a folder: with its weights, or with random ones where it has only a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers

from model.errors import CheckpointError, InputError, ModelError
from model.extras import in_one_line, missing_package
from model.hf.adapter import SCRIPT, StagedFolder
from model.pretrained import check_folder, load_network
from model.weights import allocate, only_this_folder, randomise

if TYPE_CHECKING:
    from pathlib import Path

    from model.registry import ModelOptions

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
NO_SUCH_MODEL = "no image-text-to-text model of transformers"
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
    if options.frames not in (None, 1):
        raise InputError(f"--frames {options.frames}: {folder} is given one picture for each sequence")
    processor = _processor(folder)
    if processor is None and options.prompt is not None:
        raise InputError(f"--prompt needs a processor in {folder}; without one, use --prompt-tokens")
    has_weights = any(any(folder.glob(pattern)) for pattern in WEIGHTS)
    auto = transformers.AutoModelForImageTextToText
    _check_type(auto, folder)
    network = load_network(auto, folder, options) if has_weights else _random(auto, folder, options)
    try:
        return StagedFolder(network, processor, options, weights="checkpoint" if has_weights else "random")
    except (ModelError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # every architecture has its own ways of refusing
        way = "its processor's files in the folder may help; " if processor is None else ""
        raise InputError(
            f"{folder}: {type(network).__name__} cannot be fed here ({type(error).__name__}: {in_one_line(error)}); "
            f"{way}{SCRIPT}"
        ) from error


def _processor(folder: Path) -> Any:
    """The processor whose files lie in the folder; None if there are none."""
    if not any((folder / name).is_file() for name in PROCESSOR_FILES):
        return None
    try:
        processor = transformers.AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # damaged files raise nearly anything
        if needed := missing_package(error):
            raise CheckpointError(f"{folder}: its processor {needed}") from None
        raise CheckpointError(f"{folder}: its processor cannot be loaded ({in_one_line(error)})") from None
    if getattr(processor, "tokenizer", None) is not None:
        processor.tokenizer.padding_side = "left"
    return processor


def _check_type(auto: Any, folder: Path) -> None:
    """Refuse a configuration that is of another kind of model, and say what will take it.

    Raises:
        CheckpointError: so it is, or it is none.
    """
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # wrong configurations raise nearly anything
        if needed := missing_package(error):
            raise CheckpointError(f"{folder}: its configuration {needed}") from None
        raise CheckpointError(f"{folder}: {NO_SUCH_MODEL} ({in_one_line(error)})") from None
    if type(config) in auto._model_mapping:
        return
    kind = "" if hasattr(config, "vision_config") else ", but a model of text alone"
    kind = kind if type(config) in transformers.AutoModelForCausalLM._model_mapping else ""
    raise CheckpointError(f"{folder}: {config.model_type} is {NO_SUCH_MODEL}{kind}; {SCRIPT}")


def _random(auto: Any, folder: Path, options: ModelOptions) -> Any:
    """A network of the folder's configuration, with seeded random weights that never say stop."""
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        network = allocate(lambda: auto.from_config(config), options, str(folder))
    except ModelError:
        raise
    except Exception as error:  # wrong configurations raise nearly anything
        if needed := missing_package(error):
            raise CheckpointError(f"{folder}: its network {needed}") from None
        raise CheckpointError(f"{folder}: its network cannot be made ({in_one_line(error)})") from None
    if getattr(network, "generation_config", None) is None:  # PI0 answers with a robot's movements
        raise CheckpointError(f"{folder}: {config.model_type} generates no text; {SCRIPT}")
    network.generation_config.eos_token_id = None
    network.generation_config.pad_token_id = 0
    randomise(network, network.device, options.seed)
    return network

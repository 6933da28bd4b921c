"""Weights: types, allocation, seeded random values, and the tokenizer of a checkpoint folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import transformers

from model.errors import CheckpointError, ModelError
from model.extras import in_one_line, install, missing_package

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model.registry import ModelOptions

NetworkT = TypeVar("NetworkT")

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model")


def allocate(build: Callable[[], NetworkT], options: ModelOptions, name: str) -> NetworkT:
    """Build a network on the device and in the type that `options` say; its weights are about to be overwritten.

    Raises:
        ModelError: the device has no room for it.
    """
    default = torch.get_default_dtype()
    torch.set_default_dtype(DTYPES[options.dtype])
    try:
        with torch.device(options.device):
            return build()
    except torch.OutOfMemoryError:
        raise ModelError(f"{options.device} has no room for {name} in {options.dtype}: use --size tiny") from None
    finally:
        torch.set_default_dtype(default)


@torch.no_grad()
def randomise(network: torch.nn.Module, device: torch.device, seed: int) -> None:
    """Draw weights whose greedy tokens depend on the pictures and on all that came before.

    Comparing tokens proves nothing when a network repeats one token whatever it sees, which is what evenly
    drawn weights do: attention is then uniform, and averages hundreds of positions to nearly zero. So signals
    keep their size from layer to layer (standard deviation 1/sqrt(fan in)), attention is sharp (queries and
    keys twice that), and the token's own embedding is small beside what the blocks add (LLaMA's 0.02).
    """
    generator = torch.Generator(device).manual_seed(seed)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            deviation = parameter[0].numel() ** -0.5
            if "q_proj" in name or "k_proj" in name:
                deviation *= 2
            elif "embed_tokens" in name:
                deviation = 0.02
            parameter.normal_(0.0, deviation, generator=generator)
        elif name.endswith("bias"):
            parameter.zero_()
        elif "class_embedding" in name:
            parameter.normal_(0.0, 1.0, generator=generator)
        else:
            parameter.fill_(1.0)


def only_this_folder() -> None:
    """Keep transformers off the network, its progress bars off ours, and unknown published types unmentioned."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a checkpoint folder.

    Raises:
        CheckpointError: there is none, it is damaged, or it needs a package that is missing.
    """
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise CheckpointError(f"{folder}: no usable tokenizer files ({' or '.join(TOKENIZER_FILES)})")
    only_this_folder()
    try:
        return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # tokenizers raise nearly anything on damaged files
        if isinstance(error, ImportError):
            needed = missing_package(error) or f"needs a package that is missing: {install('checkpoint')}"
            raise CheckpointError(f"{folder}: its tokenizer {needed} ({in_one_line(error)})") from None
        raise CheckpointError(f"{folder}: no usable tokenizer files ({in_one_line(error)})") from None


def random_prompt(length: int, vocabulary: int, seed: int) -> list[int]:
    """Token ids of a random prompt; ids 0 to 2 are <unk>, <s> and </s>, and it opens with <s> as LLaMA's do."""
    generator = torch.Generator().manual_seed(seed)
    return [1, *torch.randint(3, vocabulary, (length - 1,), generator=generator).tolist()]


def left_pad(rows: list[list[int]], value: int) -> tuple[list[list[int]], list[list[int]]]:
    """Rows of unequal length filled up on the left, and their attention masks, as generation wants them."""
    longest = max(map(len, rows))
    return (
        [[value] * (longest - len(row)) + row for row in rows],
        [[0] * (longest - len(row)) + [1] * len(row) for row in rows],
    )

"""Inputs for a model of which only the configuration is known: pictures as its tower takes them, random prompts.

Shape legend: B pictures, one for each sequence.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from model.errors import InputError
from model.hf.parts import FEATURE_CALL, told_by_configuration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.inputs.pictures import Picture

# For towers that take pictures of any size.
DEFAULT_SIDE = 224
TEMPORAL_PATCH = 2
# Of the types that take patches with their grid: whose pictures are no frames, and whose patches stay square.
SQUARE = ("paddleocr_vl", "kimi_k25")
STILL = (*SQUARE, "video_llama_3", "cosmos3_edge", "inkling2")


def picture_inputs(network: Any, pictures: Sequence[Picture]) -> dict[str, torch.Tensor]:
    """The arguments that a model of this configuration takes pictures by, on the CPU, in float32.

    Raises:
        InputError: its kind of picture input is not known here.
    """
    given = _known_inputs(network, pictures)
    call = getattr(network.base_model, FEATURE_CALL, None)
    taken = {} if call is None else inspect.signature(call).parameters
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    wanted = [one.name for one in taken.values() if one.kind in named and one.default is inspect.Parameter.empty]
    known = given.keys() | (set() if call is None else told_by_configuration(network, call).keys())
    if missing := [name for name in wanted if name not in known]:
        raise InputError(
            f"{network.config.model_type}: its pictures also come with {', '.join(missing)}, which its processor makes"
        )
    return given


def _known_inputs(network: Any, pictures: Sequence[Picture]) -> dict[str, torch.Tensor]:
    vision = getattr(network.config, "vision_config", None)
    if vision is None:
        raise InputError(f"{network.config.model_type}: its configuration has no vision_config")
    taken = inspect.signature(getattr(network.base_model, FEATURE_CALL, network.forward)).parameters
    if "image_grid_thw" in taken:
        return _patches(network.config.model_type, vision, pictures, merge_sizes="image_merge_sizes" in taken)
    if "spatial_shapes" in taken:
        return _flat_patches(vision, pictures)
    whole = network.config.model_type in ("llava", "vipllava") or getattr(vision, "model_type", "") == "pixtral"
    if "image_sizes" in taken and not whole:
        raise InputError(f"{network.config.model_type}: cuts pictures into tiles as its processor says")
    pixels = torch.stack([_pixels(picture, _side(vision)) for picture in pictures])
    if "image_sizes" in taken and getattr(vision, "model_type", "") == "pixtral":
        return {"pixel_values": pixels, "image_sizes": torch.tensor([pixels.shape[-2:]] * len(pictures))}
    if "aspect_ratio_ids" in inspect.signature(network.forward).parameters:  # one tile of one picture
        count = len(pictures)
        return {
            "pixel_values": pixels[:, None, None],
            "aspect_ratio_ids": torch.ones((count, 1), dtype=torch.int64),
            "aspect_ratio_mask": torch.ones((count, 1, 1), dtype=torch.int64),
        }
    if "pixel_attention_mask" in taken:  # several pictures for each sequence
        return {"pixel_values": pixels[:, None]}
    return {"pixel_values": pixels}


def _side(vision: Any) -> int:
    """Side of the square pictures, pixels."""
    size = getattr(vision, "image_size", None) or DEFAULT_SIDE
    return int(size if isinstance(size, int) else size[0])


def _pixels(picture: Picture, side: int) -> torch.Tensor:
    """Resize a picture to float32 [3, side, side] between -1 and 1."""
    from PIL import Image

    resized = np.asarray(Image.fromarray(picture).resize((side, side)), dtype=np.float32)
    return torch.from_numpy(resized / 127.5 - 1.0).permute(2, 0, 1).contiguous()


def _patches(
    model_type: str, vision: Any, pictures: Sequence[Picture], *, merge_sizes: bool
) -> dict[str, torch.Tensor]:
    """Pictures as rows of patches [n, 3 * T * P * P], those that are merged side by side, and their grids [B, 3].

    The layout is Qwen2-VL's (arXiv:2409.12191), which its relatives share: T frames of a picture are the same one.
    Those in `STILL` have no T, and those in `SQUARE` take [n, 3, P, P]; VideoLLaMA3 is told how many patches are
    merged, and Inkling 2 takes what is merged as one picture, [n / M^2, M * P, M * P, 3].
    """
    patch = int(vision.patch_size)
    merge = int(getattr(vision, "spatial_merge_size", 1))
    still = model_type in STILL
    frames = 1 if still else int(getattr(vision, "temporal_patch_size", TEMPORAL_PATCH))
    grid = DEFAULT_SIDE // (patch * merge) * merge
    rows = []
    for picture in pictures:
        pixels = _pixels(picture, grid * patch).expand(frames, -1, -1, -1)
        cut = pixels.reshape(frames, 3, grid // merge, merge, patch, grid // merge, merge, patch)
        rows.append(cut.permute(2, 5, 3, 6, 1, 0, 4, 7).reshape(grid * grid, -1))
    values = torch.cat(rows)
    if model_type == "inkling2":
        whole = values.reshape(-1, merge, merge, 3, patch, patch).permute(0, 1, 4, 2, 5, 3)
        grids = torch.tensor([[1, grid // merge, grid // merge]] * len(pictures))
        return {"pixel_values": whole.reshape(-1, merge * patch, merge * patch, 3), "image_grid_thw": grids}
    values = values.unflatten(1, (3, patch, patch)) if model_type in SQUARE else values
    given = {"pixel_values": values, "image_grid_thw": torch.tensor([[1, grid, grid]] * len(pictures))}
    return given | ({"image_merge_sizes": torch.tensor([merge] * len(pictures))} if merge_sizes else {})


def _flat_patches(vision: Any, pictures: Sequence[Picture]) -> dict[str, torch.Tensor]:
    """Pictures as SigLIP 2 takes them (arXiv:2502.14786): patches [B, n, P * P * 3], row by row, and grids [B, 2]."""
    patch = int(vision.patch_size)
    grid = DEFAULT_SIDE // patch // 2 * 2
    rows = []
    for picture in pictures:
        cut = _pixels(picture, grid * patch).reshape(3, grid, patch, grid, patch)
        rows.append(cut.permute(1, 3, 2, 4, 0).reshape(grid * grid, -1))
    return {
        "pixel_values": torch.stack(rows),
        "spatial_shapes": torch.tensor([[grid, grid]] * len(pictures)),
        "pixel_attention_mask": torch.ones((len(pictures), grid * grid), dtype=torch.int64),
    }


def image_token(config: Any) -> int:
    """The id that stands in a prompt for each visual token.

    Raises:
        InputError: the configuration does not say.
    """
    for key in ("image_token_id", "image_token_index"):
        if isinstance(token := getattr(config, key, None), int):
            return token
    raise InputError(f"{config.model_type}: its configuration has no image_token_id")


def random_words(config: Any, length: int, seed: int) -> list[int]:
    """Random token ids without any that the configuration gives a meaning to."""
    special = set()
    for part in (config, config.get_text_config()):
        for key, value in part.to_dict().items():
            if key.endswith(("_token_id", "_token_index")):
                special |= {value} if isinstance(value, int) else set(value or ())
    vocabulary = config.get_text_config().vocab_size
    words = torch.tensor([token for token in range(3, vocabulary) if token not in special])
    generator = torch.Generator().manual_seed(seed)
    chosen: list[int] = words[torch.randint(len(words), (length,), generator=generator)].tolist()
    return chosen


def prompt(config: Any, visual_tokens: int, length: int, seed: int) -> list[int]:
    """A random prompt with the placeholders in its middle, between the marks that the configuration has for them."""
    words = random_words(config, length, seed)
    marks = [getattr(config, key, None) for key in ("vision_start_token_id", "vision_end_token_id")]
    begin, end = ([mark] if isinstance(mark, int) else [] for mark in marks)
    middle = length // 2
    return [*words[:middle], *begin, *[image_token(config)] * visual_tokens, *end, *words[middle:]]


def token_types(network: Any, input_ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """Which tokens stand for pictures, [B, S], by the names that the model knows it by."""
    types = (input_ids == image_token(network.config)).long()
    names = ("token_type_ids", "mm_token_type_ids")
    taken = inspect.signature(network.forward).parameters
    return {name: types for name in names if name in taken}

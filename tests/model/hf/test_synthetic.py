"""Pictures are cut as the types of transformers want them, and every pixel is where it was."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from model.hf.synthetic import DEFAULT_SIDE, _pixels, picture_inputs

PATCH, MERGE = 14, 2
GRID = DEFAULT_SIDE // PATCH


class _Core:
    def get_image_features(self, pixel_values: Any, image_grid_thw: Any) -> None: ...


def _inputs(model_type: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The values, their grid, and the whole picture [3, side, side]."""
    vision = SimpleNamespace(patch_size=PATCH, spatial_merge_size=MERGE)
    network: Any = SimpleNamespace(
        config=SimpleNamespace(model_type=model_type, vision_config=vision), base_model=_Core(), forward=None
    )
    picture = np.random.default_rng(0).integers(0, 256, (DEFAULT_SIDE, DEFAULT_SIDE, 3), dtype=np.uint8)
    given = picture_inputs(network, [picture])
    return given["pixel_values"], given["image_grid_thw"], _pixels(picture, GRID * PATCH)


@pytest.mark.parametrize(
    ("model_type", "shape"),
    [
        ("qwen2_5_vl", (GRID**2, 3 * 2 * PATCH**2)),
        ("cosmos3_edge", (GRID**2, 3 * PATCH**2)),
        ("kimi_k25", (GRID**2, 3, PATCH, PATCH)),
        ("paddleocr_vl", (GRID**2, 3, PATCH, PATCH)),
    ],
)
def test_patches_that_are_merged_follow_one_another(model_type: str, shape: tuple[int, ...]) -> None:
    values, grid, picture = _inputs(model_type)
    assert values.shape == shape
    assert grid.tolist() == [[1, GRID, GRID]]
    second = values[1].reshape(3, -1, PATCH, PATCH)  # to the right of the first
    assert all(torch.equal(second[:, frame], picture[:, :PATCH, PATCH : 2 * PATCH]) for frame in range(second.shape[1]))
    assert torch.equal(values[2].reshape(3, -1, PATCH, PATCH)[:, 0], picture[:, PATCH : 2 * PATCH, :PATCH])


def test_what_is_merged_may_be_one_picture() -> None:
    values, grid, picture = _inputs("inkling2")
    side = MERGE * PATCH
    assert values.shape == ((GRID // MERGE) ** 2, side, side, 3)
    assert grid.tolist() == [[1, GRID // MERGE, GRID // MERGE]]
    assert torch.equal(values[1], picture[:, :side, side : 2 * side].permute(1, 2, 0))

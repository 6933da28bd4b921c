"""Any image-text-to-text model of transformers, from a folder: a checkpoint, or its configuration alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.hf.adapter import StagedFolder
    from model.registry import ModelOptions


def build(options: ModelOptions) -> StagedFolder:
    """Build the staged model that lies in `options.checkpoint`.

    Raises:
        ModelError: the options, the folder or the input cannot be right.
    """
    from model.hf.builder import build_staged

    return build_staged(options)

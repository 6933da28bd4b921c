"""Finding a model's parts: its feature call, the modules that are vision tower, projector and decoder."""

from __future__ import annotations

import inspect
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import nn

FEATURE_CALL = "get_image_features"
# What transformers' models call their parts.
TOWERS = ("vision_tower", "visual", "vision_model", "vision_encoder", "image_tower", "vision_backbone")
PROJECTORS = ("multi_modal_projector", "connector", "projector", "aligner", "merger", "embed_vision")
DECODERS = ("language_model", "text_model", "decoder", "model")


@dataclass(frozen=True, slots=True)
class Parts:
    """A model's parts.

    Attributes:
        owners: the modules that have the feature call, the innermost last.
        tower: the vision encoder; None if none was found.
        names: of what was found, by what it is.
    """

    owners: tuple[Any, ...]
    tower: nn.Module | None
    names: dict[str, str]


def find_parts(network: Any) -> Parts:
    """Find the parts by transformers' names for them."""
    core = network.base_model
    owners = tuple(module for module in dict.fromkeys((network, core)) if hasattr(module, FEATURE_CALL))
    prefix = "" if core is network else f"{network.base_model_prefix}."
    names: dict[str, str] = {}
    tower = None
    for part, known in (("vision", TOWERS), ("projector", PROJECTORS), ("language", DECODERS)):
        found = next((name for name in known if getattr(core, name, None) is not None), None)
        if found is not None:
            names[part] = prefix + found
            tower = getattr(core, found) if part == "vision" else tower
    return Parts(owners, tower, names)


def told_by_configuration(network: Any, encode: Any) -> dict[str, Any]:
    """What a feature call must be given and the configuration knows.

    Llama 4's asks how features are chosen in releases of transformers in which other types' does not.
    """
    required = [one.name for one in inspect.signature(encode).parameters.values() if one.default is one.empty]
    config = network.config
    places = (config, getattr(config, "vision_config", None))
    return {
        name: next(getattr(place, name) for place in places if hasattr(place, name))
        for name in required
        if name.startswith("vision_feature_") and any(hasattr(place, name) for place in places)
    }


def feature_tensors(output: Any) -> list[torch.Tensor]:
    """The features in what a feature call returns, each [.., width]: of all pictures, or of each.

    Most models put them into the pooled output; Llama 4 has them in the last hidden state, and projects them later.
    """
    features = output
    for name in ("pooler_output", "last_hidden_state"):
        if getattr(output, name, None) is not None:
            features = getattr(output, name)
            break
    return [features] if hasattr(features, "shape") else list(features)


@contextmanager
def features_given(parts: Parts, features: Any) -> Iterator[None]:
    """While open, the model's own feature call returns these features instead of encoding pictures."""

    def stand_in(original: Any) -> Any:
        @wraps(original)  # `generate` reads its signature
        def given(*_: Any, **__: Any) -> Any:
            return features

        return given

    with ExitStack() as stack:
        for owner in parts.owners:
            setattr(owner, FEATURE_CALL, stand_in(getattr(owner, FEATURE_CALL)))
            stack.callback(delattr, owner, FEATURE_CALL)
        yield

"""Forward passes of a decoder over a cache that can be rolled back: what speculative decoding makes its rounds of.

Shape legend: B sequences, L prompt positions, N tokens behind the prompt, n tokens of one pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch
from transformers import DynamicCache

from model.decoding.caches import cache_of, given
from model.errors import ModelError
from model.staged import StagedModel

if TYPE_CHECKING:
    from collections.abc import Mapping


class CachedPasses:
    """The passes of one request: the prompt's, and then as many as are asked for.

    Attributes:
        first: int64 [B, 1], token 0, which the prompt's pass yields.
    """

    @torch.no_grad()
    def __init__(
        self,
        network: Any,
        prompt: Mapping[str, Any],
        mask: torch.Tensor,
        positions: torch.Tensor | None = None,
        cache: Any = None,
    ) -> None:
        """Make the prompt's pass.

        Args:
            network: a decoder of transformers.
            prompt: what its pass is given beside mask and positions.
            mask: int64 [B, L], zero where padded.
            positions: int64 [..., B, L], where they differ from the column; None where they do not. Several of each
                token, as in multimodal rotary embeddings, lie in front; behind the prompt all of them count alike.
            cache: to be filled; None for the network's own kind.

        Raises:
            ModelError: the model's cache cannot be rolled back.
        """
        self._network, self._mask = network, mask
        self._next = None if positions is None else positions[..., -1:] + 1
        filled = {} if cache is None else given(cache)
        output = network(
            **prompt, **filled, attention_mask=mask, position_ids=positions, use_cache=True, logits_to_keep=1
        )
        self._cache = cache_of(output)
        if getattr(self._cache, "is_croppable", True) is False:  # its crop would leave that state as it is
            raise self._not_rolled_back("it keeps a state that sums up all tokens")
        self._held = 0
        self.first = greedy(output.logits[:, -1:])

    @property
    def held(self) -> int:
        """N, the tokens behind the prompt that the cache holds."""
        return self._held

    @property
    def device(self) -> torch.device:
        """Where the passes are made."""
        return self._mask.device

    def extend(self, tokens: torch.Tensor, *, keep: int = 1) -> torch.Tensor:
        """One pass over `tokens` [B, n], and the likeliest token behind each of the last `keep`: int64 [B, keep]."""
        return greedy(self.logits(tokens, keep=keep))

    @torch.no_grad()
    def logits(self, tokens: torch.Tensor, *, keep: int = 1) -> torch.Tensor:
        """The same pass; what it says behind each of the last `keep`, [B, keep, vocabulary]."""
        new = tokens.shape[1]
        self._mask = torch.cat([self._mask, self._mask.new_ones(tokens.shape)], dim=-1)
        output = self._network(
            input_ids=tokens,
            attention_mask=self._mask,
            position_ids=None if self._next is None else self._next + torch.arange(new, device=tokens.device),
            **given(self._cache),
            use_cache=True,
            logits_to_keep=keep,
        )
        self._held += new
        if self._next is not None:
            self._next = self._next + new
        logits: torch.Tensor = output.logits
        return logits

    def roll_back(self, held: int) -> None:
        """Forget all but the first `held` tokens behind the prompt.

        Raises:
            ModelError: the model's cache cannot.
        """
        surplus = self._held - held
        if surplus < 0 or not (surplus or getattr(self._cache, "activate_past_recording", None)):
            return
        try:
            self._cache.crop(-surplus)  # negative: so many are taken off, in every release
        except (AttributeError, RuntimeError, NotImplementedError, ValueError) as error:
            raise self._not_rolled_back(str(error)) from None
        self._mask = self._mask[:, : self._mask.shape[1] - surplus]
        self._held = held
        if self._next is not None:
            self._next = self._next - surplus

    def _not_rolled_back(self, why: str) -> ModelError:
        name = type(self._network).__name__
        return ModelError(f"{name}: its cache cannot be rolled back, so nothing can be drafted for it or by it ({why})")


class CachedModel(StagedModel[Any, Any], Protocol):
    """A staged model whose stage 4 can be made pass by pass."""

    network: Any

    def begin(self, inputs: Any, features: Any) -> CachedPasses:
        """Stage 4's first half: process the whole prompt."""
        ...


def cache_to_roll_back(network: Any) -> Any:
    """A cache for a model whose layers may keep less than all positions, told to remember what they drop.

    None where this transformers has none: the network makes its own, which can be rolled back if it keeps all.
    """
    cache = DynamicCache(config=network.config.get_text_config(decoder=True))
    if not hasattr(cache, "activate_past_recording"):
        return None
    cache.activate_past_recording()
    return cache


def greedy(logits: torch.Tensor) -> torch.Tensor:
    """The likeliest tokens, int64 [B, n], of logits [B, n, vocabulary]; in float32, as `generate` does."""
    return logits.float().argmax(dim=-1)


def vocabulary(model: CachedModel) -> int:
    """How many ids a model may choose from."""
    count: int = model.network.get_input_embeddings().num_embeddings
    return count

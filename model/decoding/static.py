"""Other ways of making a decode step than transformers' own: a static cache, a CUDA graph, a compiled step.

All three keep the key/value cache at one place and one length, so that a step has the same shapes each time; positions
that hold nothing yet are masked. Shape legend: B batch, L prompt length, N new tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import StaticCache

from model.errors import ModelError
from model.registry import COMPILE, GRAPH

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel

# Runs of a step before it is captured: libraries allocate and choose their kernels in the first ones.
WARM_UP = 3


class StaticDecoder:
    """Decodes over a static cache; one for a network and a prompt length, used again by each request."""

    def __init__(self, network: PreTrainedModel, mode: str, batch_size: int, positions: int) -> None:
        """Allocate a cache of L + N `positions` for B sequences of equal length.

        Raises:
            ModelError: this machine or this transformers cannot do it.
        """
        if mode == GRAPH and network.device.type != "cuda":
            raise ModelError("--decode graph captures CUDA graphs and needs a GPU; --decode static runs anywhere")
        self._network = network
        self._mode = mode
        self._cache = StaticCache(network.config.get_text_config(), max_cache_len=positions)
        if not hasattr(self._cache.layers[0], "cumulative_length"):
            raise ModelError(f"--decode {mode} needs a transformers whose static cache counts by itself (5.23 does)")
        self._token = torch.zeros((batch_size, 1), dtype=torch.int64, device=network.device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._deterministic = False  # when the graph was captured
        self._step: Callable[[torch.Tensor], torch.Tensor] = self._forward
        if mode == COMPILE:
            overhead = "reduce-overhead" if network.device.type == "cuda" else "default"
            self._step = torch.compile(self._forward, mode=overhead, dynamic=False)

    def empty_cache(self) -> Any:
        """The cache, emptied, for a new prompt."""
        self._cache.reset()
        return self._cache

    def step(self, token: torch.Tensor) -> torch.Tensor:
        """The next token, int64 [B, 1], after `token` [B, 1]."""
        self._token.copy_(token)
        if self._mode == GRAPH:
            # A graph keeps the kernels it was captured with.
            if self._graph is None or self._deterministic != torch.are_deterministic_algorithms_enabled():
                self._deterministic = torch.are_deterministic_algorithms_enabled()
                self._graph = self._capture()
            self._graph.replay()
            return self._token.clone()
        return self._step(self._token).clone()

    def _forward(self, token: torch.Tensor) -> torch.Tensor:
        output = self._network(input_ids=token, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        chosen: torch.Tensor = output.logits[:, -1, :].argmax(dim=-1, keepdim=True)
        return chosen

    def _capture(self) -> torch.cuda.CUDAGraph:
        """Record one step into a graph; what the runs before it put into the cache is forgotten again."""
        lengths = [layer.cumulative_length.clone() for layer in self._cache.layers]
        token = self._token.clone()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                self._forward(self._token)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._token.copy_(self._forward(self._token))
        self._token.copy_(token)
        for layer, length in zip(self._cache.layers, lengths, strict=True):
            layer.cumulative_length.copy_(length)
        return graph

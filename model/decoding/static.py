"""Other ways of making a decode step than transformers' own: a static cache, a CUDA graph, a compiled step.

All three keep the key/value cache at one place and one length, so that a step has the same shapes each time; positions
that hold nothing yet are masked, and so is the padding of prompts that are shorter than others of their batch.
Shape legend: B batch, L prompt length, N new tokens, C positions of the cache.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from transformers import StaticCache

from model.decoding.caches import given
from model.errors import ModelError
from model.registry import COMPILE, GRAPH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from transformers import PreTrainedModel

# Runs of a step before it is captured: libraries allocate and choose their kernels in the first ones.
WARM_UP = 3


class StaticDecoder:
    """Decodes over a static cache; one for a network and a number of sequences, used again by each request.

    Attributes:
        mode: how, one of `DECODE_MODES`.
    """

    def __init__(
        self, network: PreTrainedModel, mode: str, *, batch_size: int, positions: int, padded: bool = False
    ) -> None:
        """Allocate a cache of C `positions` for B sequences; `padded` where any of them may be padded on the left.

        Raises:
            ModelError: this machine or this transformers cannot do it.
        """
        if mode == GRAPH and network.device.type != "cuda":
            raise ModelError("--decode graph captures CUDA graphs and needs a GPU; --decode static runs anywhere")
        self._network = network
        self.mode = mode
        self._cache = _cache(network, mode, positions)
        self._room = positions
        self._used = 0  # positions that the present request holds, counted here: a device's check would end the process
        self._token = torch.zeros((batch_size, 1), dtype=torch.int64, device=network.device)
        # What is masked and where the next token stands, in place, since a graph reads them where they were.
        self._mask = torch.ones((batch_size, positions), dtype=torch.int64, device=network.device) if padded else None
        self._next = torch.zeros_like(self._token) if padded else None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._step: Callable[[torch.Tensor], torch.Tensor] = self._forward
        if mode == COMPILE:
            overhead = "reduce-overhead" if network.device.type == "cuda" else "default"
            self._step = torch.compile(self._forward, mode=overhead, dynamic=False)

    def begin(self, mask: torch.Tensor) -> Any:
        """The cache, emptied, for prompts whose padding `mask` [B, L] marks by zeros.

        Raises:
            ModelError: the cache has no room for them.
        """
        self._used = mask.shape[1]
        self._check_room()
        self._cache.reset()
        if self._mask is not None and self._next is not None:
            self._mask.fill_(1)
            self._mask[:, : mask.shape[1]].copy_(mask)
            self._next.copy_(mask.sum(dim=-1, keepdim=True))
        return self._cache

    def prompt_mask(self, mask: torch.Tensor) -> torch.Tensor | None:
        """What prefill is to be given as its mask: nothing where nothing is padded."""
        return None if self._mask is None else mask

    def step(self, token: torch.Tensor) -> torch.Tensor:
        """The next token, int64 [B, 1], after `token` [B, 1].

        Raises:
            ModelError: the cache is full.
        """
        self._used += 1
        self._check_room()
        self._token.copy_(token)
        if self._graph is not None:
            self._graph.replay()
            return self._token.clone()
        return self._step(self._token).clone()

    def _check_room(self) -> None:
        if self._used > self._room:
            raise ModelError(f"--decode {self.mode}: the cache holds {self._room} positions, {self._used} are needed")

    def make_ready(self) -> None:
        """Capture or compile the step for the kernels that are to be used now; nothing that is cached changes."""
        if not self._cache.layers[0].is_initialized:  # its first pass allocates it, on whatever tokens
            self._forward(self._token)
            self._cache.reset()
        if self.mode == COMPILE:
            self.rehearse(1)
        elif self.mode == GRAPH:
            self._graph = self._capture()

    def rehearse(self, times: int) -> None:
        """Run the next step so often, each time at the position where it will be made, and forget it again."""
        lengths, places, token = self._places()
        for _ in range(times):
            self._step(self._token)
            self._restore(lengths, places, token)

    def _places(self) -> tuple[list[torch.Tensor], torch.Tensor | None, torch.Tensor]:
        """All that a step moves on."""
        lengths = [layer.cumulative_length.clone() for layer in self._cache.layers]
        return lengths, None if self._next is None else self._next.clone(), self._token.clone()

    def _restore(self, lengths: list[torch.Tensor], places: torch.Tensor | None, token: torch.Tensor) -> None:
        for layer, length in zip(self._cache.layers, lengths, strict=True):
            layer.cumulative_length.copy_(length)
        if self._next is not None and places is not None:
            self._next.copy_(places)
        self._token.copy_(token)

    def _forward(self, token: torch.Tensor) -> torch.Tensor:
        output = self._network(
            input_ids=token,
            attention_mask=self._mask,
            position_ids=self._next,
            **given(self._cache),
            use_cache=True,
            logits_to_keep=1,
        )
        if self._next is not None:
            self._next.add_(1)
        chosen: torch.Tensor = output.logits[:, -1, :].argmax(dim=-1, keepdim=True)
        return chosen

    def _capture(self) -> torch.cuda.CUDAGraph:
        """Record one step into a graph; it is not run by that."""
        saved = self._places()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self.rehearse(WARM_UP)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._advance()
        except RuntimeError as error:
            name, why = type(self._network).__name__, (str(error).splitlines() or [""])[0]
            raise ModelError(
                f"--decode graph: a step of {name} cannot be captured ({why}); --decode static makes the same step "
                "launch by launch"
            ) from error
        self._restore(*saved)
        return graph

    def _advance(self) -> None:
        """All that a graph holds."""
        self._token.copy_(self._forward(self._token))

    @contextmanager
    def launching(self) -> Iterator[Callable[[], None]]:
        """While open, what it yields makes a step launch by launch, as it was captured; what is cached is lost.

        The cache has room for two.
        """
        self._cache.reset()
        try:
            with torch.no_grad():
                yield self._advance
        finally:
            self._cache.reset()


def _cache(network: PreTrainedModel, mode: str, positions: int) -> StaticCache:
    """A static cache that is full attention's in every layer, and counts on the device alone.

    Layers of a sliding window count in Python as well and take another branch when they are full: a step that is
    captured or rehearsed would have the branch and the count of one moment for ever.

    Raises:
        ModelError: the model has others, or this transformers has none.
    """
    name = type(network).__name__
    try:
        cache = StaticCache(network.config.get_text_config(), max_cache_len=positions)
    except Exception as error:  # whatever a configuration lacks
        raise ModelError(f"--decode {mode}: transformers has no static cache for {name} ({error})") from error
    others = sorted({type(layer).__name__ for layer in cache.layers} - {"StaticLayer"})
    if others:
        raise ModelError(
            f"--decode {mode}: the cache of {name} has layers that are not full attention's over all positions "
            f"({', '.join(others)}), of which a step changes more than can be made anew; --decode eager takes it"
        )
    if not all(hasattr(layer, "cumulative_length") for layer in cache.layers):
        raise ModelError(f"--decode {mode} needs a transformers whose static cache counts by itself (5.23 does)")
    return cache


class StaticDecoders:
    """A decoder for each number of sequences that requests have: a data set's last batch may be smaller.

    Attributes:
        mode: of all of them.
    """

    def __init__(self, decoders: dict[int, StaticDecoder]) -> None:
        self._decoders = decoders
        self._present: StaticDecoder | None = None
        self.mode = next(iter(decoders.values())).mode
        self._ready: bool | None = None  # whether deterministic kernels were asked for when the steps were made ready

    def begin(self, mask: torch.Tensor) -> tuple[Any, torch.Tensor | None]:
        """The cache for a request with this mask [B, L], and the mask that its prefill is to be given."""
        self._present = self._decoders[mask.shape[0]]
        return self._present.begin(mask), self._present.prompt_mask(mask)

    @property
    def each(self) -> list[StaticDecoder]:
        """The decoders, that of the fewest sequences first."""
        return [self._decoders[size] for size in sorted(self._decoders)]

    def step(self, token: torch.Tensor) -> torch.Tensor:
        """The next token, int64 [B, 1], after `token` [B, 1], of the request that was begun last.

        A graph keeps the kernels it was captured with. So where other kernels are to be used from here on, the steps of
        all decoders are made again, not only this one's: the others' first step would be measured with it.
        """
        assert self._present is not None  # noqa: S101 -- prefill began a request
        deterministic = torch.are_deterministic_algorithms_enabled()
        if self._ready != deterministic:
            for decoder in self._decoders.values():
                decoder.make_ready()
            self._ready = deterministic
        return self._present.step(token)

"""The staged interface, and the one generation loop that runs over it.

Shape legend: B batch, N tokens generated so far, V visual tokens, L prompt length after splicing
(text + visual tokens), H hidden size.

A staged model does its work in the methods of `StagedModel` and nothing else: it never times,
synchronises, prints or opens ranges. Whoever wants to know about the stages passes a `StageHook`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

RawT = TypeVar("RawT")
InputsT = TypeVar("InputsT")

REQUEST = "request"
LOAD, PREPROCESS, VISION, PREFILL, DECODE = "load", "preprocess", "vision", "prefill", "decode"
STAGES = (LOAD, PREPROCESS, VISION, PREFILL, DECODE)


@dataclass(frozen=True, slots=True)
class DecodeState:
    """What one decode step hands to the next.

    Attributes:
        tokens: int64 [B, N], the tokens generated so far; prefill's token is column 0.
        attention_mask: int64 [B, L + N - 1], one for every position already in the cache.
        cache: the model's key/value cache, updated in place by each step.
        finished: whether every sequence has met its stop token.
    """

    tokens: torch.Tensor
    attention_mask: torch.Tensor
    cache: Any
    finished: bool


@dataclass(frozen=True, slots=True)
class StageCost:
    """Analytic work of one run of a stage, for one batch.

    Attributes:
        flops: floating-point operations; a multiply-add counts as two.
        weight_bytes: bytes of parameters read, once for each pass over them.
        kv_bytes: bytes of key/value cache read and written.
    """

    flops: int
    weight_bytes: int
    kv_bytes: int


@dataclass(frozen=True, slots=True)
class RequestCost:
    """Analytic work of one whole request, stage by stage; `decode` has one entry per step."""

    vision: StageCost
    prefill: StageCost
    decode: tuple[StageCost, ...]


@dataclass(frozen=True, slots=True)
class RequestShape:
    """Token counts of one request: what latencies are later normalised by."""

    batch_size: int
    frames: int
    visual_tokens: int
    prompt_tokens: int


class StagedModel(Protocol[RawT, InputsT]):
    """A model whose inference is cut at the stage boundaries."""

    @property
    def encoders(self) -> Sequence[torch.nn.Module]:
        """The modules whose forward call is the vision encoder, for counting its runs."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        ...

    def load(self) -> RawT:
        """Stage 1: read one sample from disk (or synthesise it). Host work only."""
        ...

    def prepare(self, raw: RawT) -> InputsT:
        """Stage 2: turn the sample and the prompt into tensors on `device`."""
        ...

    def encode_vision(self, inputs: InputsT) -> torch.Tensor:
        """Stage 3: vision features, [B, V, H]: all that stage 4 needs of the pictures."""
        ...

    def prefill(self, inputs: InputsT, features: torch.Tensor | None) -> DecodeState:
        """Stage 4, first half: process the whole prompt and yield token 0.

        `features` is what `encode_vision` returned. With None the model is given the pictures
        instead and encodes them itself: the undecoupled path.
        """
        ...

    def decode_step(self, state: DecodeState) -> DecodeState:
        """Stage 4, second half: yield one more token, including the stopping test."""
        ...

    def generate(self, inputs: InputsT, features: torch.Tensor | None, *, max_new_tokens: int) -> torch.Tensor:
        """The model's own, stock, greedy generation: int64 [B, N]. The reference for verification."""
        ...

    def expected_encoder_calls(self, inputs: InputsT) -> int:
        """How often the modules in `encoders` run in one `encode_vision(inputs)`."""
        ...

    def shape(self, inputs: InputsT) -> RequestShape:
        """Token counts of a prepared request."""
        ...

    def cost(self, shape: RequestShape, *, new_tokens: int) -> RequestCost:
        """Analytic work of a request of this shape that yields `new_tokens` tokens."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Name, size, weights, configuration: JSON types only."""
        ...


class StageHook(Protocol):
    """What a recorder puts around the stages."""

    def request(self) -> AbstractContextManager[Any]:
        """Enclose one whole request."""
        ...

    def stage(self, stage: str, index: int | None = None) -> AbstractContextManager[Any]:
        """Enclose one stage; decode steps carry their token index, starting at 1."""
        ...


class NoHook:
    """A hook that does nothing."""

    def request(self) -> AbstractContextManager[Any]:
        """Enclose nothing."""
        return nullcontext()

    def stage(self, stage: str, index: int | None = None) -> AbstractContextManager[Any]:  # noqa: ARG002
        """Enclose nothing."""
        return nullcontext()


def run_request(
    model: StagedModel[Any, Any], *, max_new_tokens: int, hook: StageHook | None = None, couple: bool = False
) -> torch.Tensor:
    """Run one request through all stages and return its tokens, int64 [B, N], N <= max_new_tokens.

    Decode step k covers everything from the end of step k-1 to its own end, so there is no work
    between the stages. With `couple`, stage 4 gets the pictures instead of the features and encodes
    them a second time: the mistake this project exists to show.
    """
    hook = hook or NoHook()
    with hook.request():
        with hook.stage(LOAD):
            raw = model.load()
        with hook.stage(PREPROCESS):
            inputs = model.prepare(raw)
        with hook.stage(VISION):
            features = model.encode_vision(inputs)
        with hook.stage(PREFILL):
            state = model.prefill(inputs, None if couple else features)
        for step in range(1, max_new_tokens):
            if state.finished:
                break
            with hook.stage(DECODE, step):
                state = model.decode_step(state)
    return state.tokens

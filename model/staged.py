"""The staged interface, and the one generation loop that runs over it.

Shape legend: B batch, N tokens generated so far, V visual tokens, L prompt length after splicing
(text + visual tokens), H hidden size.

A staged model does its work in the methods of `StagedModel` and nothing else: it never times,
synchronises, prints or opens ranges. Whoever wants to know about the stages passes a `StageHook`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

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
        positions: int64 [B, 1], of the next token, where they differ from its column; None where they do not.
        stopped: bool [B, 1], which sequences have met theirs; None where nothing stops them.
    """

    tokens: torch.Tensor
    attention_mask: torch.Tensor
    cache: Any
    finished: bool
    positions: torch.Tensor | None = None
    stopped: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class StageCost:
    """Analytic work of one run of a stage, for one batch.

    Attributes:
        flops: floating-point operations; a multiply-add counts as two.
        weight_bytes: bytes of parameters read, once for each pass over them.
        kv_bytes: bytes of key/value cache read and written.
        least_flops: what a kernel needs that skips all that a causal mask hides; None where that is all of `flops`.
    """

    flops: int
    weight_bytes: int
    kv_bytes: int
    least_flops: int | None = None


@dataclass(frozen=True, slots=True)
class RequestCost:
    """Analytic work of one whole request, stage by stage; `decode` has one entry per step."""

    vision: StageCost
    prefill: StageCost
    decode: tuple[StageCost, ...]


@dataclass(frozen=True, slots=True)
class RequestShape:
    """Token counts of one request: what latencies are later normalised by.

    Attributes:
        batch_size: sequences.
        frames, visual_tokens: of each.
        prompt_tokens: text tokens of each, padding of a ragged batch included.
    """

    batch_size: int
    frames: int
    visual_tokens: int
    prompt_tokens: int


class StagedModel(Protocol[RawT, InputsT]):
    """A model whose inference is cut at the stage boundaries.

    Stage 4 comes in one of two ways, see `SteppedModel` and `AnsweringModel`.
    """

    @property
    def samples(self) -> Sequence[str]:
        """Names of what requests can be given, in the order in which they take turns."""
        ...

    @property
    def encoders(self) -> Sequence[torch.nn.Module]:
        """The modules whose forward call is the vision encoder, for counting its runs."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        ...

    def load(self, number: int = 0) -> RawT:
        """Stage 1: read sample `number` from disk (or synthesise it). Host work only."""
        ...

    def prepare(self, raw: RawT) -> InputsT:
        """Stage 2: turn the sample and the prompt into tensors on `device`."""
        ...

    def encode_vision(self, inputs: InputsT) -> Any:
        """Stage 3: vision features, all that stage 4 needs of the pictures: a tensor, or a tree of tensors."""
        ...

    def generate(self, inputs: InputsT, features: Any, *, max_new_tokens: int) -> torch.Tensor:
        """The model's own, stock, greedy generation: int64 [B, N]. The reference for verification."""
        ...

    def expected_encoder_calls(self, inputs: InputsT) -> int:
        """How often the modules in `encoders` run in one `encode_vision(inputs)`."""
        ...

    def shape(self, inputs: InputsT) -> RequestShape:
        """Token counts of a prepared request."""
        ...

    def cost(self, shape: RequestShape, *, new_tokens: int) -> RequestCost | None:
        """Analytic work of a request of this shape that yields `new_tokens` tokens; None where unknown."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Name, size, weights, configuration: JSON types only."""
        ...


class SteppedModel(StagedModel[RawT, InputsT], Protocol[RawT, InputsT]):
    """A model that makes the steps of stage 4 one by one.

    `features` is what `encode_vision` returned. With None the model is given the pictures instead and
    encodes them itself: the undecoupled path.
    """

    def prefill(self, inputs: InputsT, features: Any) -> DecodeState:
        """Stage 4, first half: process the whole prompt and yield token 0."""
        ...

    def decode_step(self, state: DecodeState) -> DecodeState:
        """Stage 4, second half: yield one more token, including the stopping test."""
        ...


class AnsweringModel(StagedModel[RawT, InputsT], Protocol[RawT, InputsT]):
    """A model whose generation loop is not ours, and tells when each decode step begins."""

    def answer(
        self, inputs: InputsT, features: Any, *, max_new_tokens: int, next_step: Callable[[], None]
    ) -> torch.Tensor:
        """Stage 4 as a whole: int64 [B, N]. Calls `next_step` where a decode step ends and the next begins."""
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


class _Steps(AbstractContextManager["_Steps"]):
    """Stage 4 from prefill to the last token: one stage is always open, and `next` goes on to the next."""

    def __init__(self, hook: StageHook) -> None:
        self._hook = hook
        self._index = 0

    def __enter__(self) -> _Steps:
        self._open = self._hook.stage(PREFILL)
        self._open.__enter__()
        return self

    def next(self) -> None:
        """A step ends, and the next begins."""
        self._open.__exit__(None, None, None)
        self._index += 1
        self._open = self._hook.stage(DECODE, self._index)
        self._open.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, traceback)


def answer_in_steps(
    model: SteppedModel[Any, Any], inputs: Any, features: Any, *, max_new_tokens: int, next_step: Callable[[], None]
) -> torch.Tensor:
    """Stage 4 of a model that makes its steps one by one: int64 [B, N]."""
    state = model.prefill(inputs, features)
    for _ in range(1, max_new_tokens):
        if state.finished:
            break
        next_step()
        state = model.decode_step(state)
    return state.tokens


def run_request(
    model: StagedModel[Any, Any],
    number: int = 0,
    *,
    max_new_tokens: int,
    hook: StageHook | None = None,
    couple: bool = False,
) -> torch.Tensor:
    """Run sample `number` through all stages and return its tokens, int64 [B, N], N <= max_new_tokens.

    Decode step k covers everything from the end of step k-1 to its own end, so there is no work
    between the stages. With `couple`, stage 4 gets the pictures instead of the features and encodes
    them a second time: the mistake this project exists to show. A model that has a way of its own to make
    requests (`run`), as two models that work together have, makes them so.
    """
    if (own := getattr(model, "run", None)) is not None:
        made: torch.Tensor = own(number, max_new_tokens=max_new_tokens, hook=hook)
        return made
    hook = hook or NoHook()
    answer: Callable[..., torch.Tensor] = getattr(model, "answer", None) or partial(answer_in_steps, cast("Any", model))
    with hook.request():
        with hook.stage(LOAD):
            raw = model.load(number)
        with hook.stage(PREPROCESS):
            inputs = model.prepare(raw)
        with hook.stage(VISION):
            features = model.encode_vision(inputs)
        with _Steps(hook) as steps:
            return answer(inputs, None if couple else features, max_new_tokens=max_new_tokens, next_step=steps.next)

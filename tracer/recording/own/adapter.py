"""Somebody's own model behind our interface: what it has is used, what it may lack is filled in.

It is known by its methods, not by its class, since its file sees no module of ours.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from model.staged import RequestCost, RequestShape
from tracer.document.errors import InputError
from tracer.recording.encoders import EncoderWatch
from tracer.recording.marks import current_device

if TYPE_CHECKING:
    from collections.abc import Sequence

# The arguments that each method is called with, positional ones first.
STAGES = {"load": "(number)", "prepare": "(raw)", "encode_vision": "(inputs)"}
STEPS = {"prefill": "(inputs, features)", "decode_step": "(state)"}
ANSWER = {"answer": "(inputs, features, *, max_new_tokens, next_step)"}
GENERATE = {"generate": "(inputs, features, *, max_new_tokens)"}
SHAPE = [field.name for field in fields(RequestShape)]
NO_GENERATE = "its model has no generate to compare with"


class OwnStaged:
    """A staged model of somebody's own; implements `model.staged.StagedModel`."""

    def __init__(self, built: Any, source: str, name: str, dtype: str) -> None:
        self._built = built
        self.dtype = str(getattr(built, "dtype", dtype)).removeprefix("torch.")
        self._source = source
        self._name = name
        self.samples: Sequence[str] = [str(sample) for sample in getattr(built, "samples", None) or ["the input"]]
        self.encoders: Sequence[torch.nn.Module] = list(getattr(built, "encoders", ()))
        self.prepare = built.prepare
        self.encode_vision = built.encode_vision
        self.unverifiable = "" if hasattr(built, "generate") else NO_GENERATE
        if hasattr(built, "answer"):
            self.answer = built.answer
        else:
            self.decode_step = built.decode_step

    def load(self, number: int = 0) -> Any:
        """Its own."""
        return self._built.load(number)

    def prefill(self, inputs: Any, features: Any) -> Any:
        """Its own, whose state is looked at."""
        state = self._built.prefill(inputs, features)
        if missing := [name for name in ("tokens", "finished") if not hasattr(state, name)]:
            raise InputError(
                f"{self._source}: what prefill returns has no {' and no '.join(missing)}; a decode state has tokens, "
                "int64 [batch, tokens so far], and finished"
            )
        return state

    @property
    def device(self) -> torch.device:
        """Its own, or the GPU that this process uses, or the CPU."""
        own = getattr(self._built, "device", None)
        return current_device() if own is None else torch.device(own)

    def generate(self, inputs: Any, features: Any, *, max_new_tokens: int) -> torch.Tensor:
        """Its own."""
        tokens: torch.Tensor = self._built.generate(inputs, features, max_new_tokens=max_new_tokens)
        return tokens

    def expected_encoder_calls(self, inputs: Any) -> int:
        """As it says, or as often as `encode_vision` runs them."""
        if hasattr(self._built, "expected_encoder_calls"):
            return int(self._built.expected_encoder_calls(inputs))
        with EncoderWatch(self.encoders) as watch:
            self.encode_vision(inputs)
        return watch.calls

    def shape(self, inputs: Any) -> RequestShape:
        """As it says, in a mapping or in attributes; what it does not say is 0."""
        said = self._built.shape(inputs) if hasattr(self._built, "shape") else {}
        found = {name: said.get(name, 0) if isinstance(said, Mapping) else getattr(said, name, 0) for name in SHAPE}
        counts = {name: int(value) for name, value in found.items()}
        return RequestShape(**{**counts, "batch_size": counts["batch_size"] or 1})

    def cost(self, shape: RequestShape, *, new_tokens: int) -> RequestCost | None:
        """As it says; unknown otherwise."""
        if not hasattr(self._built, "cost"):
            return None
        cost: RequestCost | None = self._built.cost(shape, new_tokens=new_tokens)
        return cost

    def describe(self) -> dict[str, Any]:
        """As it says, and the file's name."""
        said = dict(self._built.describe()) if hasattr(self._built, "describe") else {}
        described = {"name": self._name, "size": "", "weights": "own", "input": self.samples[0], **said}
        try:
            msgspec.json.encode(described)
        except (TypeError, ValueError) as error:
            raise InputError(f"{self._source}: describe must return what JSON can hold ({error})") from None
        return described


class OwnCallable:
    """A function that marks its stages; each call is one request."""

    def __init__(self, call: Callable[..., object], source: str, name: str) -> None:
        self._call = call
        self._numbered = _takes(call, "(number)") and not _takes(call, "()")
        self.source = source
        self.name = name

    def __call__(self, number: int) -> None:
        """Make one request."""
        self._call(number) if self._numbered else self._call()


def adapt(built: Any, source: str, name: str, *, dtype: str = "") -> OwnStaged | OwnCallable:
    """Look at what a function returned.

    Args:
        built: that.
        source: the file and the function, for messages.
        name: of the model.
        dtype: of the weights, as the function was asked for; "" if it was not.

    Raises:
        InputError: it is neither a staged model nor a function that needs no arguments.
    """
    known = [method for method in (*STAGES, *STEPS, *ANSWER) if callable(getattr(built, method, None))]
    if not known and callable(built):
        if isinstance(built, torch.nn.Module) or not (_takes(built, "()") or _takes(built, "(number)")):
            raise InputError(
                f"{source}: the {type(built).__name__} that it returns needs arguments; return a function without "
                "any, which makes one request, or a staged model"
            )
        return OwnCallable(built, source, name)
    wanted = [*STAGES, *(ANSWER if "answer" in known else STEPS)]
    if missing := [method for method in wanted if method not in known]:
        raise InputError(
            f"{source}: the {type(built).__name__} that it returns lacks {', '.join(missing)}; a staged model has "
            "load, prepare, encode_vision, and answer or prefill and decode_step"
        )
    for method, arguments in (STAGES | STEPS | ANSWER | GENERATE).items():
        found = getattr(built, method, None)
        if found is not None and (method in wanted or method in GENERATE) and not _takes(found, arguments):
            raise InputError(f"{source}: its {method} must take {arguments}, not {inspect.signature(found)}")
    return OwnStaged(built, source, name, dtype)


def _takes(function: Callable[..., object], arguments: str) -> bool:
    """Whether a function can be called with arguments spelled `(a, b, *, c)`."""
    positional, _, keywords = arguments.strip("()").partition("*")
    given = [name for name in positional.split(",") if name.strip()]
    named = {name.strip(): None for name in keywords.split(",") if name.strip()}
    try:
        inspect.signature(function).bind(*given, **named)
    except TypeError:
        return False
    except ValueError:  # functions of compiled modules may not tell
        return True
    return True

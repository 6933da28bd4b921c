"""`--auto`: a script without marks is marked where it calls transformers' `generate`.

Each call is a request. It begins with prefill, which ends with the first token: a prompt may be taken in in several
forward passes. A decode step begins where `generate` prepares the inputs of the first pass behind a token. `generate`
prepares each pass once, and behind each that yields tokens it says how many, in every release since 4.45; vision is the
model's own feature call. Where an assistant or a lookup in the prompt proposes candidates, that is a draft, and the
pass behind it checks it (`steps.py`). Nothing is changed but who is told. Nothing is imported before transformers is.
"""

from __future__ import annotations

import sys
import threading
from contextlib import ExitStack, contextmanager
from functools import wraps
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tracer import staging
from tracer.document.names import VISION
from tracer.recording.own.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

HOME = "transformers.generation.utils"
# What transformers' models call the way from pixels to features.
FEATURE_CALLS = ("get_image_features", "get_video_features")
PREPARE = "prepare_inputs_for_generation"
# Called behind each pass that yields tokens, with their number where that is not one.
APPENDED = "_update_model_kwargs_for_generation"
# Makes what proposes candidates, and what that does so with.
CANDIDATES, PROPOSE = "_get_candidate_generator", "get_candidates"
# Those whose passes are all made by an assistant's `generate`, or which make none; others may make some by themselves.
COUNTED = (
    "AssistedCandidateGenerator",
    "AssistedCandidateGeneratorDifferentTokenizers",
    "UniversalSpeculativeDecodingGenerator",
    "EarlyExitCandidateGenerator",
    "PromptLookupCandidateGenerator",
)

# Of each thread: whether it is in `generate`, and in a feature call, and the steps of its request; no steps while an
# assistant's call is on, but how many passes that made.
_inside = threading.local()
# How many threads have a method of an object replaced, and what the object itself had in its place.
_replacements: dict[tuple[int, str], tuple[int, Any]] = {}
_replacing = threading.Lock()


def install() -> None:
    """Hook `generate` once transformers is imported."""
    if HOME in sys.modules:
        hook(sys.modules[HOME])
    else:
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds nothing itself; has the module hooked as soon as it has run."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 -- the interface's
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if fullname != HOME:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            run = loader.exec_module

            def run_and_hook(module: ModuleType) -> None:
                run(module)
                hook(module)

            loader.exec_module = run_and_hook
        return spec


def hook(module: Any) -> None:
    """Have `module.GenerationMixin.generate` open a request with its stages."""
    original = module.GenerationMixin.generate

    @wraps(original)  # its signature is read, by transformers itself too
    def generate(self: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(_inside, "generate", False):
            return _drafting(original, self, *args, **kwargs)
        _inside.generate = True
        try:
            with staging.request(), _marked(self) as steps:
                answer = original(self, *args, **kwargs)
        finally:
            _inside.generate = False
        _tell(self, args, kwargs, answer, steps.tokens)
        return answer

    module.GenerationMixin.generate = generate


def _drafting(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A call inside another: an assistant's. Its passes are part of the draft, also where it is the network itself."""
    before, _inside.steps = _inside.steps, None
    try:
        with _replaced(args[0], PREPARE, _as_step):
            return original(*args, **kwargs)
    finally:
        _inside.steps = before


@contextmanager
def _marked(network: Any) -> Iterator[Steps]:
    """While open, the network's forward passes are stages of the request on this thread."""
    with ExitStack() as stack:
        steps = Steps(counted=hasattr(network, APPENDED))
        stack.push(steps.close)
        stack.callback(setattr, _inside, "steps", None)
        _inside.steps = steps
        stack.enter_context(_replaced(network, PREPARE, _as_step))
        if steps.counted:
            stack.enter_context(_replaced(network, APPENDED, _as_tokens))
            if hasattr(network, CANDIDATES):
                stack.enter_context(_replaced(network, CANDIDATES, _as_candidates))
        for owner in {id(module): module for module in (network, network.base_model)}.values():
            for name in FEATURE_CALLS:
                if hasattr(owner, name):
                    stack.enter_context(_replaced(owner, name, _as_vision))
        yield steps


def _as_step(prepare: Callable[..., Any]) -> Callable[..., Any]:
    """The function that `generate` calls before each forward pass."""

    @wraps(prepare)
    def prepare_and_mark(*args: Any, **kwargs: Any) -> Any:
        steps: Steps | None = getattr(_inside, "steps", None)  # other threads have steps of their own, or none
        if steps is not None:
            steps.before_pass()
        else:
            _inside.passes = getattr(_inside, "passes", 0) + 1
        return prepare(*args, **kwargs)

    return prepare_and_mark


def _as_tokens(append: Callable[..., Any]) -> Callable[..., Any]:
    """The function that `generate` calls where it appends tokens."""

    @wraps(append)
    def append_and_count(*args: Any, **kwargs: Any) -> Any:
        steps: Steps | None = getattr(_inside, "steps", None)
        if steps is not None:
            steps.after_pass(int(kwargs.get("num_new_tokens", 1)))
        return append(*args, **kwargs)

    return append_and_count


def _as_candidates(make: Callable[..., Any]) -> Callable[..., Any]:
    """The function that `generate` makes by what proposes candidates: each of its proposals is a draft."""

    @wraps(make)
    def make_and_mark(*args: Any, **kwargs: Any) -> Any:
        proposer = make(*args, **kwargs)
        if getattr(_inside, "steps", None) is not None and hasattr(proposer, PROPOSE):
            counted = type(proposer).__name__ in COUNTED
            setattr(proposer, PROPOSE, _as_draft(getattr(proposer, PROPOSE), counted=counted))
        return proposer

    return make_and_mark


def _as_draft(propose: Callable[..., Any], *, counted: bool) -> Callable[..., Any]:
    @wraps(propose)
    def propose_and_mark(input_ids: Any, *args: Any, **kwargs: Any) -> Any:
        steps: Steps | None = getattr(_inside, "steps", None)
        if steps is None:
            return propose(input_ids, *args, **kwargs)
        steps.before_draft()
        _inside.passes = 0
        found = propose(input_ids, *args, **kwargs)
        steps.after_draft(_drafted(input_ids, found), _inside.passes if counted else None)
        return found

    return propose_and_mark


def _drafted(input_ids: Any, found: Any) -> int | None:
    """How many candidates stand behind the tokens so far, [B, N]; None where that is not what was returned."""
    try:
        count = int(found[0].shape[1]) - int(input_ids.shape[1])
    except (AttributeError, IndexError, TypeError):
        return None
    return count if count >= 0 else None


def _as_vision(encode: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(encode)
    def encode_and_mark(*args: Any, **kwargs: Any) -> Any:
        # The model's call makes that of its base.
        if getattr(_inside, "vision", False) or getattr(_inside, "steps", None) is None:
            return encode(*args, **kwargs)
        _inside.vision = True
        try:
            with staging.stage(VISION):
                return encode(*args, **kwargs)
        finally:
            _inside.vision = False

    return encode_and_mark


@contextmanager
def _replaced(owner: Any, name: str, replacement: Callable[[Any], Any]) -> Iterator[None]:
    """While open on any thread, an object has another method, made once from the one it has."""
    key = id(owner), name
    with _replacing:
        users, own = _replacements.get(key, (0, vars(owner).get(name)))
        if not users:
            setattr(owner, name, replacement(getattr(owner, name)))
        _replacements[key] = users + 1, own
    try:
        yield
    finally:
        with _replacing:
            users, own = _replacements.pop(key)
            if users > 1:
                _replacements[key] = users - 1, own
            elif own is None:
                delattr(owner, name)
            else:
                setattr(owner, name, own)


def _tell(network: Any, args: Sequence[Any], kwargs: dict[str, Any], answer: Any, tokens: int) -> None:
    """Keep what the manifest says about a request; tensors are looked at when the script is over."""
    from tracer.recording.own import child

    given = kwargs.get("input_ids", kwargs.get("inputs", args[0] if args else None))
    embedded = kwargs.get("inputs_embeds")
    child.note(
        dtype=str(network.dtype).removeprefix("torch."),
        architecture=type(network).__name__,
        image_token=next((getattr(network.config, key, None) for key in ("image_token_id", "image_token_index")), None),
        input_ids=given,
        prompt=embedded if given is None else given,
        answer=getattr(answer, "sequences", answer),
        tokens=tokens,
    )

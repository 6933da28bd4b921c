"""Two staged models as one: a draft that proposes and a target that checks, behind the staged interface."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from model.decoding.passes import vocabulary
from model.errors import ModelError
from model.speculative.forced import Forced, draws
from model.speculative.loop import DRAFT, Answer, Drafter, NoRoundHook, RoundHook, speculate, stops_of
from model.speculative.mapping import SHARED, SharedIds, Vocabularies, known_part
from model.staged import LOAD, PREFILL, PREPROCESS, VISION, RequestCost, RequestShape, StageHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from model.decoding.passes import CachedModel, CachedPasses
    from model.speculative.forced import Rows

SEQUENTIAL, OVERLAPPED = "sequential", "overlapped"
SCHEDULES = (SEQUENTIAL, OVERLAPPED)
# An answer that other kernels round otherwise is what the target says from there on; after so many of them one is taken
# as it is, and what was accepted is counted anyway.
MOST_ANSWERS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Speculating:
    """How two models work together.

    Attributes:
        count: tokens drafted in a round.
        shares: the acceptance to force, by position; empty for the draft's own.
        schedule: whether the draft begins behind the target's prefill, or beside it on a thread and stream of its own.
        seed: of forced acceptance.
    """

    count: int
    shares: tuple[float, ...] = ()
    schedule: str = SEQUENTIAL
    seed: int = 0


@dataclass(frozen=True, slots=True)
class PairInputs:
    """What both were given: inputs, and of each answer's features a pair too."""

    target: Any
    draft: Any


@dataclass(slots=True)
class _Taught:
    """What is known of the target's answers, by sample and kernels: plain ones, and those under rounds of each kind."""

    plain: dict[Any, Rows] = field(default_factory=dict)
    rounds: dict[Any, Rows] = field(default_factory=dict)


class SpeculativePair:
    """A draft and a target; implements `model.staged.StagedModel`, and makes its requests itself (`run`)."""

    def __init__(
        self,
        target: CachedModel,
        draft: CachedModel,
        how: Speculating,
        mapping: Vocabularies | None = None,
        taught: _Taught | None = None,
        beside: _Beside | None = None,
    ) -> None:
        """Put them together.

        Raises:
            ModelError: they were not given the same samples, or cannot work like that.
        """
        if len(target.samples) != len(draft.samples):
            raise ModelError("the draft and the target have unequal numbers of samples")
        for model in (target, draft):
            name = model.describe().get("name", "the model")
            if why := getattr(model, "unfit_for_rounds", ""):
                raise ModelError(f"{name} can neither draft nor check a draft: {why}")
            if not hasattr(model, "begin"):
                raise ModelError(
                    f"{name} makes its steps in a way of its own; drafts and checks need passes over a "
                    "cache that can be rolled back"
                )
        self.target, self.draft, self.how = target, draft, how
        sizes = vocabulary(draft), vocabulary(target)
        self._mapping = mapping or SharedIds(*sizes)
        self._given = mapping
        self.vocabularies = sizes
        self.taught_in = 0  # answers that the last teaching took
        self._words = min(sizes)
        self._taught = taught or _Taught()
        self._beside = beside or _Beside(draft.device)

    def with_(self, **changes: Any) -> SpeculativePair:
        """The same models working together in another way."""
        how = replace(self.how, **changes)
        return SpeculativePair(self.target, self.draft, how, self._given, self._taught, self._beside)

    @property
    def samples(self) -> Sequence[str]:
        """The target's."""
        return self.target.samples

    @property
    def encoders(self) -> Sequence[torch.nn.Module]:
        """Both's."""
        return [*self.target.encoders, *self.draft.encoders]

    @property
    def device(self) -> torch.device:
        """The target's."""
        return self.target.device

    def load(self, number: int = 0) -> PairInputs:
        """Stage 1 of both."""
        return PairInputs(self.target.load(number), self.draft.load(number))

    def prepare(self, raw: PairInputs) -> PairInputs:
        """Stage 2 of both."""
        return PairInputs(self.target.prepare(raw.target), self.draft.prepare(raw.draft))

    def encode_vision(self, inputs: PairInputs) -> tuple[Any, Any]:
        """Stage 3 of both."""
        return self.target.encode_vision(inputs.target), self.draft.encode_vision(inputs.draft)

    def generate(self, inputs: PairInputs, features: tuple[Any, Any] | None, *, max_new_tokens: int) -> torch.Tensor:
        """The target's own greedy generation, which is what rounds must yield."""
        given = None if features is None else features[0]
        return self.target.generate(inputs.target, given, max_new_tokens=max_new_tokens).cpu()

    def expected_encoder_calls(self, inputs: PairInputs) -> int:
        """Both's."""
        return self.target.expected_encoder_calls(inputs.target) + self.draft.expected_encoder_calls(inputs.draft)

    def shape(self, inputs: PairInputs) -> RequestShape:
        """The target's."""
        return self.target.shape(inputs.target)

    def cost(self, shape: RequestShape, *, new_tokens: int) -> RequestCost | None:  # noqa: ARG002 -- the interface's
        """Unknown: stages of two models are added up, and steps are rounds."""
        return None

    def describe(self) -> dict[str, Any]:
        """The target; what drafts for it is said apart."""
        return dict(self.target.describe())

    @property
    def threaded(self) -> bool:
        """Whether requests work on several threads at once."""
        return self.how.schedule == OVERLAPPED

    @property
    def mapping_name(self) -> str:
        """How ids are mapped."""
        return SHARED if self._given is None else type(self._mapping).__name__

    def run(self, number: int = 0, *, max_new_tokens: int, hook: StageHook | None = None) -> torch.Tensor:
        """Run sample `number` through all stages of both models and return the answer, int64 [B, N]."""
        watched: RoundHook = hook or NoRoundHook()  # type: ignore[assignment]  # whoever records rounds has one
        forced = self._forced(number, max_new_tokens)
        return self._run(number, max_new_tokens, watched, forced)

    def _run(self, number: int, limit: int, hook: RoundHook, forced: Forced | None) -> torch.Tensor:
        with hook.request():
            inputs = self._inputs(number, hook)
            overlapped = self.how.schedule == OVERLAPPED
            answer = (self._overlapped if overlapped else self._sequential)(inputs, limit, hook, forced)
        return torch.tensor(answer.rows, dtype=torch.int64)

    def _inputs(self, number: int, hook: RoundHook) -> PairInputs:
        with hook.stage(LOAD):
            raw = self.target.load(number)
        with hook.stage(PREPROCESS):
            inputs = self.target.prepare(raw)
        with hook.stage(_of_draft(LOAD)):
            draft_raw = self.draft.load(number)
        with hook.stage(_of_draft(PREPROCESS)):
            return PairInputs(inputs, self.draft.prepare(draft_raw))

    def _sequential(self, inputs: PairInputs, limit: int, hook: RoundHook, forced: Forced | None) -> Answer:
        target, answer = self._prefill(inputs.target, limit, hook)
        if not answer.finished:
            drafter, _ = self._drafter(inputs.draft, hook)
            speculate(target, drafter, answer, count=self.how.count, hook=hook, forced=forced)
        return answer

    def _overlapped(self, inputs: PairInputs, limit: int, hook: RoundHook, forced: Forced | None) -> Answer:
        """The draft encodes, prefills and drafts its first tokens on another thread while the target prefills.

        What it drafted counts if its own token 0 is the target's; else it drafts again.
        """
        count = min(self.how.count, limit - 2)
        of_draft = hook.beside(self.draft.device)
        with self._beside.begin(lambda: self._head_start(inputs.draft, count, of_draft, forced)) as ahead:
            target, answer = self._prefill(inputs.target, limit, hook)
            with hook.stage(DRAFT, 1) if count > 0 else nullcontext():
                drafter, guess, proposed = ahead.result()
                self._beside.join()
                if guess != answer.rows:
                    drafter.restart()
                    proposed = None
                if proposed is None and count > 0 and not answer.finished:
                    given = forced.proposals(1, count) if forced and forced.follows(answer.rows) else None
                    proposed = drafter.propose(answer.rows, count, given)
                    hook.passed(count)
                elif count > 0:
                    hook.passed(0)  # they were made on the other thread
                drafter.settle(target.device)
        speculate(target, drafter, answer, count=self.how.count, hook=hook, forced=forced, head_start=proposed)
        return answer

    def _head_start(
        self, inputs: Any, count: int, hook: RoundHook, forced: Forced | None
    ) -> tuple[Drafter, Rows, torch.Tensor | None]:
        """On the other thread: the draft, what it takes for token 0, and what it proposes behind that."""
        with hook.request():
            drafter, guess = self._drafter(inputs, hook)
            guess = guess if forced is None else forced.proposals(0, 1)
            if count < 1 or any(len(row) != 1 for row in guess):
                return drafter, [], None
            with hook.stage(DRAFT, 1):
                given = None if forced is None else forced.proposals(1, count)
                proposed = drafter.propose(guess, count, given)
                hook.passed(count)
                return drafter, guess, proposed

    def _prefill(self, inputs: Any, limit: int, hook: StageHook) -> tuple[CachedPasses, Answer]:
        with hook.stage(VISION):
            features = self.target.encode_vision(inputs)
        with hook.stage(PREFILL):
            passes = self.target.begin(inputs, features)
            return passes, self._answer(passes, limit)

    def _drafter(self, inputs: Any, hook: StageHook) -> tuple[Drafter, Rows]:
        """The draft behind its prompt, and its own token 0 in the target's ids, of each sequence one or none."""
        with hook.stage(_of_draft(VISION)):
            features = self.draft.encode_vision(inputs)
        with hook.stage(_of_draft(PREFILL)):
            passes = self.draft.begin(inputs, features)
            guess = [known_part(self._mapping, row) for row in passes.first.tolist()]
        return Drafter(passes, self._mapping), guess

    def _answer(self, target: CachedPasses, limit: int) -> Answer:
        stops, pad = stops_of(self.target.network)
        return Answer(target.first.tolist(), stops, pad, limit)

    def _forced(self, number: int, limit: int) -> Forced | None:
        """Which tokens are right in an answer to a sample; None where acceptance is the draft's own."""
        if not self.how.shares:
            return None
        key = number, limit, _kernels(), self.how.count, self.how.shares, self.how.seed
        chances = draws(self.how.shares, self.how.count, limit, self.how.seed + number)
        if (known := self._taught.rounds.get(key)) is not None:
            return Forced(self.how.shares, known, chances, self._words)
        forced = Forced(self.how.shares, self._plain(number, limit), chances, self._words)
        for self.taught_in in range(1, MOST_ANSWERS + 1):
            said = self._run(number, limit, NoRoundHook(), forced).tolist()
            if forced.follows(said):
                break
            forced = replace(forced, teacher=said)
        self._taught.rounds[key] = forced.teacher
        return forced

    def _plain(self, number: int, limit: int) -> Rows:
        """What the target says without a draft, token by token, over the same passes."""
        key = number, limit, _kernels()
        if key not in self._taught.plain:
            inputs = self.target.prepare(self.target.load(number))
            passes = self.target.begin(inputs, self.target.encode_vision(inputs))
            answer = self._answer(passes, limit)
            token = passes.first
            while not answer.finished:
                token = passes.extend(token)
                answer.append(token.tolist())
                token = torch.tensor([row[-1:] for row in answer.rows], device=passes.device)
            self._taught.plain[key] = answer.rows
        return self._taught.plain[key]


class _Beside:
    """A thread for the draft, and a stream of its own where its device has streams.

    Both are kept from request to request, since what is warm is theirs: cuDNN's plans of attention belong to a thread,
    and making one anew takes longer than a step does; the allocator's blocks belong to a stream.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._thread: ThreadPoolExecutor | None = None
        self._stream: torch.cuda.Stream | None = None

    @contextmanager
    def begin(self, work: Callable[[], Any]) -> Iterator[Future[Any]]:
        """Have the thread work, on that stream; it is over when this is, whatever happens."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "draft")
            self._stream = torch.cuda.Stream(self._device) if self._device.type == "cuda" else None
        if self._stream is not None:  # what the inputs were copied on
            self._stream.wait_stream(torch.cuda.current_stream(self._device))
        ahead = self._thread.submit(self._on_stream, work)
        try:
            yield ahead
        finally:
            wait([ahead])

    def join(self) -> None:
        """What is asked for next waits for that stream."""
        if self._stream is not None:
            torch.cuda.current_stream(self._device).wait_stream(self._stream)

    def _on_stream(self, work: Callable[[], Any]) -> Any:
        with nullcontext() if self._stream is None else torch.cuda.stream(self._stream):
            return work()


def _kernels() -> tuple[bool, bool]:
    """Which kernels torch was asked for; others round otherwise, and an answer learned under them is another answer."""
    return torch.are_deterministic_algorithms_enabled(), torch.backends.cuda.cudnn_sdp_enabled()


def _of_draft(stage: str) -> str:
    return f"{DRAFT}/{stage}"

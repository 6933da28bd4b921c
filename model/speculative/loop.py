"""The loop: the draft proposes tokens, they are mapped, the target checks all of them in one pass, and both roll back.

What comes out is the target's own greedy answer, whatever was drafted: a token counts only where it is the one that the
target's pass chose in its place, and the first that is not is replaced by that choice. No time is taken in here.

Shape legend: B sequences. Of a batch as many tokens are accepted as in the sequence with the fewest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import torch

from model.errors import ModelError
from model.speculative.mapping import known_part
from model.staged import NoHook, StageHook

if TYPE_CHECKING:
    from collections.abc import Collection

    from model.decoding.passes import CachedPasses
    from model.speculative.forced import Forced, Rows
    from model.speculative.mapping import Vocabularies

DRAFT, MAP, VERIFY = "draft", "map", "verify"


class RoundHook(StageHook, Protocol):
    """What a recorder puts around the rounds."""

    def checked(self, drafted: int, accepted: int) -> None:
        """Say in a stage that checks a draft what came of it."""
        ...

    def passed(self, made: int) -> None:
        """Say in a stage that drafts how many forward passes that took."""
        ...

    def beside(self, device: torch.device) -> RoundHook:
        """A hook for another thread, which works on the open request at the same time, on this device."""
        ...


class NoRoundHook(NoHook):
    """Does nothing."""

    def checked(self, drafted: int, accepted: int) -> None:
        """Say nothing."""

    def passed(self, made: int) -> None:
        """Nor here."""

    def beside(self, device: torch.device) -> RoundHook:  # noqa: ARG002 -- the interface's
        """The other thread's does nothing either."""
        return self


@dataclass(slots=True)
class Answer:
    """What the target has said so far.

    Attributes:
        rows: of each sequence the tokens, all of one length; padded behind a stop.
        stops: ids that end a sequence.
        pad: what is written behind an end.
        limit: tokens at most.
        ended: which sequences have ended.
    """

    rows: Rows
    stops: Collection[int]
    pad: int
    limit: int
    ended: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ended = [row[-1] in self.stops for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows[0])

    @property
    def finished(self) -> bool:
        """Whether nothing more is to be said."""
        return all(self.ended) or len(self) >= self.limit

    def append(self, new: Rows) -> int:
        """Write as many tokens of each sequence as `new` has, or until all have ended; how many that were."""
        for place in range(len(new[0])):
            for number, row in enumerate(self.rows):
                row.append(self.pad if self.ended[number] else new[number][place])
                self.ended[number] |= row[-1] in self.stops
            if all(self.ended):
                return place + 1
        return len(new[0])


class Drafter:
    """The draft's side: its passes, and what of the answer their cache holds."""

    def __init__(self, passes: CachedPasses, mapping: Vocabularies) -> None:
        self._passes, self._mapping = passes, mapping
        self._context: Rows = []  # the answer in the draft's ids
        self._known = 0  # how many of the answer's tokens that is
        self._cached: Rows = []  # what the cache holds

    def propose(self, answer: Rows, count: int, forced: Rows | None = None) -> torch.Tensor:
        """Draft ids, int64 [B, count], behind an answer.

        Args:
            answer: in the target's ids.
            count: tokens to propose, each by one pass.
            forced: these instead, in the target's ids; the passes are made all the same.

        Raises:
            ModelError: the mapping gives sequences of a batch other lengths, or fewer tokens than there were.
        """
        self._follow(answer)
        given = None if forced is None else self._tensor([list(self._mapping.to_draft(row)) for row in forced])
        if given is not None and given.shape[1] != count:
            raise ModelError("a mapping whose tokens are not one for one has no acceptance to force")
        held = self._common()
        self._passes.roll_back(held)
        token = self._passes.extend(self._tensor([row[held:] for row in self._context]))
        proposed: list[torch.Tensor] = []
        for place in range(count):
            proposed.append(token if given is None else given[:, place : place + 1])
            if place + 1 < count:
                token = self._passes.extend(proposed[-1])
        self._cached = [list(row) for row in self._context]
        return torch.cat(proposed, dim=-1)

    def settle(self, device: torch.device) -> None:
        """Wait for what was proposed where another device than the draft's comes next: it marks no end of the draft."""
        if self._passes.device != device and self._passes.device.type == "cuda":
            torch.cuda.current_stream(self._passes.device).synchronize()

    def mapped(self, proposed: torch.Tensor) -> Rows:
        """What was proposed in the target's ids, of each sequence as many as all have; and remember what is cached."""
        rows = proposed.tolist()
        for cached, row in zip(self._cached, rows, strict=True):
            cached += row[:-1]
        found = [known_part(self._mapping, row) for row in rows]
        length = min(map(len, found))
        return [row[:length] for row in found]

    def _follow(self, answer: Rows) -> None:
        """Take in what the target has said since."""
        if not self._context or self._known > len(answer[0]):
            self._context, self._known = [[] for _ in answer], 0
        for context, row in zip(self._context, answer, strict=True):
            context += self._mapping.to_draft(row[self._known :])
        self._known = len(answer[0])
        if len(set(map(len, self._context))) > 1 or not self._context[0]:
            raise ModelError("the mapping gives the sequences of a batch unequal lengths: --batch-size 1")

    def _common(self) -> int:
        """How many tokens of the context the cache holds already; one at least is to be passed."""
        most = min(self._passes.held, len(self._context[0]) - 1)
        for cached, context in zip(self._cached or [[] for _ in self._context], self._context, strict=True):
            most = min(most, len(cached))
            most = next((place for place in range(most) if cached[place] != context[place]), most)
        return most

    def restart(self) -> None:
        """Forget the answer: another one follows the prompt."""
        self._context, self._known = [], 0

    def _tensor(self, rows: Rows) -> torch.Tensor:
        return torch.tensor(rows, dtype=torch.int64, device=self._passes.device)


def speculate(
    target: CachedPasses,
    drafter: Drafter,
    answer: Answer,
    *,
    count: int,
    hook: RoundHook,
    forced: Forced | None = None,
    head_start: torch.Tensor | None = None,
) -> None:
    """Make rounds until the answer is finished.

    Args:
        target, drafter: both have passed the prompt.
        answer: token 0.
        count: tokens to draft in a round; fewer where the answer ends.
        hook: is told of the stages.
        forced: which drafted tokens are right, where that is asked for.
        head_start: what was drafted for the first round already.
    """
    number = 0
    while not answer.finished:
        number += 1
        # The pass that checks yields a token by itself.
        wanted = min(count, answer.limit - len(answer) - 1)
        drafts: Rows = [[] for _ in answer.rows]
        if wanted > 0:
            proposed, head_start = head_start, None
            given = forced.proposals(len(answer), wanted) if forced and forced.follows(answer.rows) else None
            if proposed is None:
                with hook.stage(DRAFT, number):
                    proposed = drafter.propose(answer.rows, wanted, given)
                    hook.passed(wanted)
                    drafter.settle(target.device)
            with hook.stage(MAP, number):
                drafts = [row[:wanted] for row in drafter.mapped(proposed)]
            # What is asked to be right is so where the draft's vocabulary lacks it, too: mapping costs what it costs.
            drafts = drafts if given is None else given
        with hook.stage(VERIFY, number):
            drafted, accepted = _check(target, answer, drafts)
            hook.checked(drafted, accepted)


def _check(target: CachedPasses, answer: Answer, drafts: Rows) -> tuple[int, int]:
    """Check the drafts in one pass, write what holds, and roll the cache back: drafted, accepted."""
    before, drafted = len(answer), len(drafts[0])
    asked = [[row[-1], *draft] for row, draft in zip(answer.rows, drafts, strict=True)]
    chosen = target.extend(torch.tensor(asked, device=target.device), keep=drafted + 1).tolist()
    accepted = drafted
    for ended, draft, choice in zip(answer.ended, drafts, chosen, strict=True):
        if not ended:
            accepted = next((place for place in range(accepted) if draft[place] != choice[place]), accepted)
    written = answer.append([choice[: accepted + 1] for choice in chosen])
    target.roll_back(before - 1 + written)
    return drafted, min(accepted, written - 1)


def stops_of(network: Any) -> tuple[frozenset[int], int]:
    """The ids that end an answer, and what `generate` pads with."""
    config = network.generation_config
    ids = config.eos_token_id
    known = [] if ids is None else [ids] if isinstance(ids, int) else list(ids)
    pad = config.pad_token_id
    return frozenset(known), (known[0] if known else 0) if pad is None else int(pad)

"""The stages of one call of transformers' `generate`: prefill, then decode steps or rounds, one always open.

Where candidates are drafted, by an assistant or by a lookup in the prompt, the pass behind them checks them: a round is
`draft#k` and `verify#k`. The first candidates are checked by the prompt's own pass; their draft lies within prefill,
and has no number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer import staging
from tracer.document.names import DECODE, DRAFT, PREFILL, VERIFY

if TYPE_CHECKING:
    from tracer.staging import Stage


class Steps:
    """Prefill, then one step or round after the other.

    Args:
        counted: whether somebody tells of tokens; where nobody does, each pass is taken to yield one.

    Attributes:
        tokens: that were told of.
    """

    def __init__(self, *, counted: bool) -> None:
        self.counted = counted
        self.tokens = 0
        self._number = 0
        self._fresh = False  # whether tokens have come since the open stage began
        self._passes = 0  # of the open stage
        self._drafted: int | None = None  # candidates that the next pass checks, where that is known
        self._name = PREFILL
        self._open = _opened(PREFILL)
        self._within: Stage | None = None  # a draft within prefill

    def before_pass(self) -> None:
        """A forward pass begins. It begins a step if there is a token to begin from."""
        if self._fresh:
            self._next(DECODE)
        self._passes += 1
        self._fresh = not self.counted

    def before_draft(self) -> None:
        """Candidates are going to be drafted for the next pass."""
        if self._fresh:
            self._next(DRAFT)
            self._fresh = False
        else:
            self._within = _opened(DRAFT)

    def after_draft(self, drafted: int | None, passes: int | None) -> None:
        """So many there are, in so many passes of the model that drafts; None where nothing tells."""
        self._drafted = drafted
        if passes is not None:
            staging.passed(passes)
        if self._within is not None:
            self._end_within()
        else:
            self._next(VERIFY, self._number)

    def after_pass(self, tokens: int) -> None:
        """A pass has yielded tokens: of those it checked all but one, where it checked any."""
        self.tokens += tokens
        self._fresh = True
        drafted, self._drafted = self._drafted, None
        if drafted is not None and 0 < tokens <= drafted + 1:
            staging.checked(drafted, tokens - 1)
        else:
            staging.yielded(tokens)

    def close(self, *error: Any) -> None:
        """End the last step."""
        self._end_within()
        self._end(*error)

    def _next(self, name: str, number: int | None = None) -> None:
        self._end(None, None, None)
        self._number = self._number + 1 if number is None else number
        self._name, self._passes = name, 0
        self._open = _opened(name, self._number)

    def _end(self, *error: Any) -> None:
        if self._name == PREFILL and self._passes > 1:  # a prompt in chunks
            staging.passed(self._passes)
        self._open.__exit__(*error)

    def _end_within(self) -> None:
        if self._within is not None:
            self._within.__exit__(None, None, None)
            self._within = None


def _opened(name: str, number: int | None = None) -> Stage:
    stage = staging.stage(name, number)
    stage.__enter__()
    return stage

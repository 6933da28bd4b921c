"""What a step of a serving engine held, as the engine's own label says.

Sums are over the requests of one kind, as the engines write them: sq of the tokens that a step computes for a request,
sk of the tokens of its KV cache by then, sqsq of the squares of the former, sqsk of the products of both. Attention's
work goes by the last, and its reading by sk.
"""

from __future__ import annotations

from dataclasses import dataclass

# What modes begin with in which a draft model works.
DRAFTS = "DRAFT"
# So many digits fit 64 bits, and so do their sums over any honest trace.
DIGITS = 15


@dataclass(frozen=True, slots=True)
class Group:
    """Requests of one kind in a step; None is what the label does not say.

    Attributes:
        requests: how many.
        tokens: that the step computes for them (sq).
        kv_tokens: tokens of their caches that it attends to (sk).
        squares: sum of squared tokens (sqsq).
        products: sum of tokens times cache (sqsk).
    """

    requests: int | None = None
    tokens: int | None = None
    kv_tokens: int | None = None
    squares: int | None = None
    products: int | None = None

    @property
    def pairs(self) -> int | None:
        """Pairs of a token and one before it, or itself, in the cache: what causal attention has to compute.

        Of a request of q tokens behind p cached ones these are q p + q (q + 1) / 2; the label has q (p + q) and q q.
        """
        if self.products is None or self.squares is None or self.tokens is None:
            return None
        if not self.tokens <= self.squares <= self.tokens**2 or self.products > self.tokens * (self.kv_tokens or 0):
            return None  # of no batch that there could be
        pairs = self.products - (self.squares - self.tokens) // 2
        return pairs if pairs >= 0 else None


NOBODY = Group(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Label:
    """What the name of a range says of a step.

    Attributes:
        mode: the engine's word for it; "" where it has none.
        requests: of both kinds together.
        context: requests whose prompt is processed.
        generation: requests that get their next tokens.
    """

    mode: str = ""
    requests: int | None = None
    context: Group = Group()
    generation: Group = Group()

    @property
    def tokens(self) -> int | None:
        """That the step computes, for both kinds; None where one of them is unknown."""
        counts = (self.context.tokens, self.generation.tokens)
        return None if None in counts else sum(count for count in counts if count is not None)

    @property
    def checks(self) -> bool:
        """Whether the step checks drafted tokens: by its mode, or as it computes several of a sequence that decodes."""
        tokens, requests = self.generation.tokens, self.generation.requests
        return self.verifies or (tokens is not None and requests is not None and tokens > requests)

    @property
    def verifies(self) -> bool:
        """Whether the engine's word for the step says that the target checks drafted tokens."""
        return "VERIFY" in self.mode and not self.mode.startswith(DRAFTS)

    @property
    def summed(self) -> bool:
        """Whether the label has all that attention's work goes by."""
        groups = (self.context, self.generation)
        return all(group.pairs is not None and group.kv_tokens is not None for group in groups)


NO_LABEL = Label()


def number(text: str | None) -> int | None:
    """A number of a label; None where there is none, or one that no engine writes."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= DIGITS else None


def label(mode: str, context: Group, generation: Group, requests: int | None = None) -> Label:
    """A label whose requests are those of both kinds, where both are known."""
    if requests is None and context.requests is not None and generation.requests is not None:
        requests = context.requests + generation.requests
    return Label(mode, requests, context, generation)

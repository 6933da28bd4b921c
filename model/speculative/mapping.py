"""From the draft's vocabulary into the target's, and back.

Two models of one tokenizer share their ids, up to where the smaller vocabulary ends. Others need a mapping of their
own: a function that is called once, with both sizes, and returns something with the two methods of `Vocabularies`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

# What stands in the draft's context for a token that it does not have: LLaMA's <unk>.
UNKNOWN = 0
SHARED = "shared ids"


class Vocabularies(Protocol):
    """A mapping between two vocabularies."""

    def to_target(self, ids: Sequence[int]) -> Sequence[int | None]:
        """The target's ids of drafted ones; None where it has none: what was drafted ends there."""
        ...

    def to_draft(self, ids: Sequence[int]) -> Sequence[int]:
        """The draft's ids of what the target yielded, as many as it takes."""
        ...


class SharedIds:
    """Ids mean the same in both, as far as both have them."""

    def __init__(self, draft_size: int, target_size: int) -> None:
        self._both = min(draft_size, target_size)

    def to_target(self, ids: Sequence[int]) -> list[int | None]:
        """See `Vocabularies`."""
        return [one if one < self._both else None for one in ids]

    def to_draft(self, ids: Sequence[int]) -> list[int]:
        """See `Vocabularies`."""
        return [one if one < self._both else UNKNOWN for one in ids]


def known_part(mapping: Vocabularies, ids: Sequence[int]) -> list[int]:
    """The target's ids of what was drafted, up to the first that it does not have."""
    found: list[int] = []
    for one in mapping.to_target(ids):
        if one is None:
            break
        found.append(int(one))
    return found

"""The two sides of a comparison, as a person names them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from tracer.document.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Besides tags: columns of runs whose values tell sides apart.
NAMED = ("torch", "cuda", "driver", "tracer")
_DAYS = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.\.(\d{4}-\d{2}-\d{2}))?")


@dataclass(frozen=True, slots=True)
class Side:
    """One side.

    Attributes:
        text: as given.
        first, last: days, both of them in it; None where it is a tag.
        key, value: a tag, or one of the columns `NAMED`.
    """

    text: str
    first: date | None = None
    last: date | None = None
    key: str = ""
    value: str = ""

    def holds(self, run: Mapping[str, Any]) -> bool:
        """Whether a row of `runs` belongs to it."""
        if self.first is not None and self.last is not None:
            return bool(self.first <= run["date"] <= self.last)
        if self.key in NAMED:
            return bool(run[self.key] == self.value)
        return dict(run["tags"] or ()).get(self.key) == self.value


def read_side(text: str) -> Side:
    """A day, days from..to, or KEY=VALUE.

    Raises:
        UsageError: it is none.
    """
    if (match := _DAYS.fullmatch(text)) is not None:
        try:
            first = date.fromisoformat(match[1])
            return Side(text, first, date.fromisoformat(match[2]) if match[2] else first)
        except ValueError:
            raise UsageError(f"--between {text}: no such day") from None
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise UsageError(
            f"--between {text}: give a day (2026-11-27), days (2026-11-20..2026-11-26), or a tag KEY=VALUE"
        )
    return Side(text, key=key, value=value)

"""What a person asked of a report, beside the document itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.comparison import Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What every part is told.

    Attributes:
        gates: budgets that the run was held to, and what was found.
        top: rows of each table of names; None for the number that each table has of its own.
        saved: whether the document was saved: what only its trace has is not offered then.
    """

    gates: Sequence[Gate] = ()
    top: int | None = None
    saved: bool = False


AS_IT_IS = Asked()

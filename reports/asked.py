"""What a person asked of a report, beside the document itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.comparison import Gate

TIME, OPS, NAME = "time", "ops", "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What every part is told.

    Attributes:
        gates: budgets that the run was held to, and what was found.
        top: rows of each table of names; None for the number that each table has of its own.
        saved: whether the document was saved: what only its trace has is not offered then.
        stage: of tables with a row a stage, this one's alone; None for all.
        sort: by what tables of names are sorted: "time", "ops" or "name".
    """

    gates: Sequence[Gate] = ()
    top: int | None = None
    saved: bool = False
    stage: str | None = None
    sort: str = TIME

    def shows(self, stage: str) -> bool:
        """Whether a stage's row is to be shown."""
        return self.stage is None or stage == self.stage

    def key(self, name: str, ops: int, time_ns: int) -> tuple[object, ...]:
        """By what a row of a table of names is sorted, the largest first, names in their order."""
        first = {TIME: (-time_ns, -ops), OPS: (-ops, -time_ns), NAME: ()}[self.sort]
        return (*first, name)


AS_IT_IS = Asked()

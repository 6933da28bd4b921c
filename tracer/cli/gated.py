"""What verbs with budgets share: formats, options and the exit code of a gate that failed."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from tracer.document.errors import GateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.comparison import Gate

BUDGET_HELP = (
    "Exit with 3 if a stage, request, ttft or tpot takes more: 'vision<=5%' (of the request), 'tpot<=20ms'. Several "
    "may follow; quote them."
)


class Format(StrEnum):
    """How a result is written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def refuse(gates: Sequence[Gate]) -> None:
    """Raise if any gate failed.

    Raises:
        GateError: with one message for each that did.
    """
    failed = [gate for gate in gates if not gate.passed]
    if failed:
        from reports.comparison import sentence

        raise GateError(*[sentence(gate) for gate in failed])

"""What verbs with budgets share: the exit code of a gate that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.errors import GateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.comparison import Gate


def refuse(gates: Sequence[Gate]) -> None:
    """Raise if any gate failed.

    Raises:
        GateError: with one message for each that did.
    """
    failed = [gate for gate in gates if not gate.passed]
    if failed:
        from reports.parts.gates import sentence

        raise GateError(*[sentence(gate) for gate in failed])

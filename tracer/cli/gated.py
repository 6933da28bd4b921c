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
    if failed := _failed(gates):
        raise GateError(*failed)


def tell_failed(gates: Sequence[Gate]) -> None:
    """Say which failed, where something else decides the exit code."""
    from tracer.cli.streams import tell

    for said in _failed(gates):
        tell(said)


def _failed(gates: Sequence[Gate]) -> list[str]:
    failed = [gate for gate in gates if not gate.passed]
    if not failed:
        return []
    from reports.parts.gates import sentence

    return [sentence(gate) for gate in failed]

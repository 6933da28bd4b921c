"""What reads a device's energy counter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tracer.document.recorded_energy import DeviceState


class Meter(Protocol):
    """A device's energy counter, and its clocks and heat.

    Attributes:
        source: whose it is.
        warnings: what else may be in its figures.
    """

    source: str
    warnings: list[str]

    def total_uj(self) -> int:
        """Microjoules since some time before; rises.

        Raises:
            MeterError: it does not tell any more.
        """
        ...

    def state(self, during: str, request: int) -> DeviceState:
        """Clocks and heat now, as far as it tells."""
        ...

    def close(self) -> None:
        """Nothing more is read."""
        ...


class MeterError(Exception):
    """A counter does not tell."""


@dataclass(frozen=True, slots=True)
class NoMeter:
    """That there is no counter: why, and what to do."""

    reason: str
    next_step: str

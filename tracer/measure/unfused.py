"""PyTorch's own elementwise and copying kernels, each of which reads and writes memory for one small operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer.kernels.categories import categorise

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer.document.summary import Kernel


@dataclass(frozen=True, slots=True)
class Unfused:
    """Those of one stage.

    Attributes:
        count: how many.
        time_ns: their device time.
        shortest_ns: what the quickest of them takes, by the mean of its name.
    """

    count: int
    time_ns: int
    shortest_ns: int = 0


def unfused_kernels(kernels: Iterable[Kernel]) -> Unfused:
    """Add up those among a stage's kernels."""
    small = [kernel for kernel in kernels if _is_unfused(kernel.name)]
    return Unfused(
        count=sum(kernel.count for kernel in small),
        time_ns=sum(kernel.time_ns for kernel in small),
        shortest_ns=min((kernel.time_ns // kernel.count for kernel in small if kernel.count), default=0),
    )


def _is_unfused(name: str) -> bool:
    return "at::native::" in name and categorise(name) in ("elementwise", "copy")

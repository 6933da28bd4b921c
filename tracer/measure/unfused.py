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
    """Those of one stage: how many, and their device time."""

    count: int
    time_ns: int


def unfused_kernels(kernels: Iterable[Kernel]) -> Unfused:
    """Add up those among a stage's kernels."""
    small = [kernel for kernel in kernels if _is_unfused(kernel.name)]
    return Unfused(count=sum(kernel.count for kernel in small), time_ns=sum(kernel.time_ns for kernel in small))


def _is_unfused(name: str) -> bool:
    return "at::native::" in name and categorise(name) in ("elementwise", "copy")

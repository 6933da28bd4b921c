"""Copies over the link between the host and its devices, by their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer.kernels.categories import categorise
from tracer.trace.api import copies_pageable, copies_to_device, copies_to_host

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer.document.summary import Kernel


@dataclass(frozen=True, slots=True)
class HostCopies:
    """Those of one stage, or of a trace without stages.

    Attributes:
        count: how many.
        time_ns: their device time.
        pageable_ns: the part of it that is known to be of memory that is not pinned.
    """

    count: int
    time_ns: int
    pageable_ns: int


def host_copies(kernels: Iterable[Kernel]) -> HostCopies:
    """Add up those among some device ops."""
    copies = [kernel for kernel in kernels if _over_the_link(kernel.name)]
    return HostCopies(
        count=sum(copy.count for copy in copies),
        time_ns=sum(copy.time_ns for copy in copies),
        pageable_ns=sum(copy.time_ns for copy in copies if copies_pageable(copy.name)),
    )


def _over_the_link(name: str) -> bool:
    return (copies_to_device(name) or copies_to_host(name)) and categorise(name) == "copy"


def unpinned_to_device(kernels: Iterable[Kernel]) -> bool:
    """Whether most of the time of copies to the device is known to be of memory that is not pinned."""
    copies = [kernel for kernel in kernels if copies_to_device(kernel.name) and categorise(kernel.name) == "copy"]
    pageable_ns = sum(copy.time_ns for copy in copies if copies_pageable(copy.name))
    return 2 * pageable_ns > sum(copy.time_ns for copy in copies)

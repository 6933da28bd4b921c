"""Measuring what a device can do at best: one large matrix product, one large copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tracer.peaks.peak import Peak
from tracer.recording.clocks import clock_for

if TYPE_CHECKING:
    from collections.abc import Callable

# Rounds of each measurement; the best counts, because only disturbances make one slower.
ROUNDS = 10
SOURCE = "measured by tracer calibrate"


def calibrate(
    device: torch.device, dtype: torch.dtype, *, side: int | None = None, copy_bytes: int | None = None
) -> Peak:
    """Measure a device.

    Args:
        device: where.
        dtype: of the matrices.
        side: of the square matrices. [default: 8192 on a GPU, 1024 on a CPU]
        copy_bytes: to copy; each is read and written. [default: 2 GiB on a GPU, 256 MiB on a CPU]
    """
    on_gpu = device.type != "cpu"
    side = side or (8192 if on_gpu else 1024)
    copy_bytes = copy_bytes or (1 << 31 if on_gpu else 1 << 28)
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    product = torch.empty_like(left)
    product_ns = _best_ns(device, lambda: torch.mm(left, right, out=product))
    source = torch.zeros(copy_bytes, device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    copy_ns = _best_ns(device, lambda: target.copy_(source))
    return Peak(tflops=2 * side**3 / product_ns / 1e3, gbs=2 * copy_bytes / copy_ns, source=SOURCE)


def _best_ns(device: torch.device, work: Callable[[], object]) -> int:
    clock = clock_for(device)
    for _ in range(2):  # libraries choose and load their kernels
        work()
    clock.mark()
    for _ in range(ROUNDS):
        work()
        clock.mark()
    return min(clock.read())

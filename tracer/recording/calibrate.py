"""Measuring what a device can do at best: one large matrix product, one large copy, and kernels that do nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch

from tracer.peaks.peak import Peak
from tracer.recording.clocks import clock_for

if TYPE_CHECKING:
    from collections.abc import Callable

# Rounds of each measurement; the best counts, because only disturbances make one slower.
ROUNDS = 10
# Kernels of a round; a stream's queue takes 1,024 before a launch waits for the device.
LAUNCHES = 500
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


def launch_floor(device: torch.device) -> float | None:
    """What it costs the host at least to launch a kernel, nanoseconds; None of a CPU, which launches none.

    A kernel that waits for no cycles is launched again and again, fewer times than a stream's queue takes; the best
    round counts. A call of Python is in it, as in any launch of a program in Python.
    """
    if device.type != "cuda":
        return None
    rounds = []
    with torch.cuda.device(device):
        for _ in range(ROUNDS + 1):  # the first loads the kernel
            torch.cuda.synchronize()
            start = time.perf_counter_ns()
            for _ in range(LAUNCHES):
                torch.cuda._sleep(0)
            rounds.append(time.perf_counter_ns() - start)
        torch.cuda.synchronize()
    return min(rounds[1:]) / LAUNCHES


def _best_ns(device: torch.device, work: Callable[[], object]) -> int:
    clock = clock_for(device)
    for _ in range(2):  # libraries choose and load their kernels
        work()
    clock.mark()
    for _ in range(ROUNDS):
        work()
        clock.mark()
    return min(clock.read())

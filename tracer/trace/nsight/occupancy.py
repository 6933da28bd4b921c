"""How many warps a kernel's launch lets a multiprocessor hold, of those that it could: Nsight exports do not say it.

The rules are those of NVIDIA's occupancy calculator (CUDA C++ Programming Guide, "Compute Capabilities"): registers are
given to warps in units of 256, to as many warps as fill the four parts alike; shared memory to blocks in units of 128
bytes, 1 KiB of each block the system's own. A grid that is too small for the device holds what it has. Held warps are
counted by their threads, as Kineto's estimate does: half a warp is half.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer.trace.columns import MISSING

if TYPE_CHECKING:
    from tracer.trace.nsight.database import Database

GPUS = "TARGET_INFO_GPU"
LIMITS = ("smCount", "maxWarpsPerSm", "maxBlocksPerSm", "maxRegistersPerSm", "maxShmemPerSm", "computeMajor")
# Threads of a warp, and the parts of a multiprocessor, each of which has a quarter of the registers.
WARP, PARTS = 32, 4
# What registers and shared memory are handed out by, and what of the latter each block gives to the system.
REGISTER_UNIT, SHARED_UNIT, SYSTEM_BYTES = 256, 128, 1024
# All of these are Ampere's and of what came behind it.
FIRST_MAJOR = 8


@dataclass(frozen=True, slots=True)
class Limits:
    """What a device's multiprocessors hold at most.

    Attributes:
        multiprocessors: of the device.
        warps, blocks, registers, shared_bytes: of each.
    """

    multiprocessors: int
    warps: int
    blocks: int
    registers: int
    shared_bytes: int


def limits_of(database: Database) -> Limits | None:
    """Of the devices of an export; None where they differ, or it does not say them all, or others' units hold.

    Raises:
        InputError: the file is damaged.
    """
    rows = set(zip(*(column.tolist() for column in database.integers(GPUS, LIMITS)), strict=True))
    if len(rows) != 1:
        return None
    *known, major = rows.pop()
    if MISSING in known or min(known) <= 0 or major < FIRST_MAJOR:
        return None
    return Limits(*known)


def occupancy(
    limits: Limits, grid: tuple[int, int, int], block: tuple[int, int, int], registers: int, shared_bytes: int
) -> float | None:
    """The warps held, on average over the multiprocessors, as a share of what could be; None where none could.

    Args:
        limits: of the device.
        grid, block: blocks, and threads of each, by dimension.
        registers: of a thread.
        shared_bytes: of a block, static and dynamic.
    """
    warps = -(-math.prod(block) // WARP)
    if not warps or not math.prod(grid):
        return None
    held = min(limits.blocks, limits.warps // warps)
    if registers:
        of_warp = -(-registers * WARP // REGISTER_UNIT) * REGISTER_UNIT
        held = min(held, limits.registers // PARTS // of_warp * PARTS // warps)
    of_block = -(-(shared_bytes + SYSTEM_BYTES) // SHARED_UNIT) * SHARED_UNIT
    held = min(held, limits.shared_bytes // of_block)
    share = min(math.prod(grid) / limits.multiprocessors, held) * math.prod(block) / (limits.warps * WARP)
    return share if 0 < share <= 1 else None

"""Occupancy of launches in Nsight exports, by the device's limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.nsight import Export

from tracer.trace.columns import Want
from tracer.trace.nsight.occupancy import Limits, occupancy
from tracer.trace.reader import read_trace

H100 = Limits(multiprocessors=132, warps=64, blocks=32, registers=65536, shared_bytes=233472)
IN_EXPORTS = {
    "smCount": 132, "maxWarpsPerSm": 64, "maxBlocksPerSm": 32, "maxRegistersPerSm": 65536, "maxShmemPerSm": 233472,
    "computeMajor": 9,
}  # fmt: skip


# Grid, block, registers, bytes and estimate, as torch.profiler wrote them of models on an H100.
ESTIMATED = [
    ((19, 1, 1), (128, 1, 1), 22, 0, 0.01),
    ((63, 1, 1), (128, 1, 1), 32, 0, 0.03),
    ((24, 1, 1), (32, 16, 1), 32, 0, 0.05),
    ((41, 1, 1), (32, 16, 1), 32, 16, 0.08),
    ((251, 1, 1), (128, 1, 1), 32, 0, 0.12),
    ((292, 1, 1), (128, 1, 1), 32, 0, 0.14),
    ((501, 1, 1), (128, 1, 1), 18, 0, 0.24),
    ((146, 1, 1), (32, 16, 1), 32, 16, 0.28),
    ((1056, 1, 1), (128, 1, 1), 32, 0, 0.5),
    ((4616, 1, 1), (32, 4, 1), 54, 16, 0.56),
    ((5331, 1, 1), (128, 1, 1), 48, 7184, 0.63),
]


@pytest.mark.parametrize(("grid", "block", "registers", "shared_bytes", "estimated"), ESTIMATED)
def test_it_is_what_torch_profiler_estimates_of_the_same_launches_on_an_h100(
    grid: tuple[int, int, int], block: tuple[int, int, int], registers: int, shared_bytes: int, estimated: float
) -> None:
    found = occupancy(H100, grid, block, registers, shared_bytes)
    assert found == pytest.approx(estimated, abs=0.0051)  # it is written in whole percents


@pytest.mark.parametrize(
    ("grid", "block", "registers", "shared_bytes", "expected"),
    [
        ((13200, 1, 1), (256, 1, 1), 32, 0, 1.0),
        ((13200, 1, 1), (256, 1, 1), 128, 0, 0.25),  # by registers
        ((13200, 1, 1), (32, 1, 1), 16, 0, 0.5),  # by the number of blocks
        ((13200, 1, 1), (256, 1, 1), 32, 100_000, 0.25),  # by shared memory
        ((66, 1, 1), (256, 1, 1), 32, 0, 256 / 2 / 2048),  # by the grid
        ((132, 1, 1), (1024, 1, 1), 255, 0, None),  # no block has room
        ((0, 1, 1), (256, 1, 1), 32, 0, None),
    ],
)
def test_what_bounds_it(
    grid: tuple[int, int, int], block: tuple[int, int, int], registers: int, shared_bytes: int, expected: float | None
) -> None:
    assert occupancy(H100, grid, block, registers, shared_bytes) == expected


def _export(*gpus: dict[str, int]) -> Export:
    launch = {"gridX": 66, "gridY": 1, "gridZ": 1, "blockX": 256, "blockY": 1, "blockZ": 1, "registersPerThread": 32}
    export = Export().call(0, 5, 1).kernel("k", 10, 20, 1, **launch)
    for number, gpu in enumerate(gpus):
        export.row("TARGET_INFO_GPU", id=number, cuDevice=number, name="GPU", **gpu)
    return export


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [
        ([IN_EXPORTS], 0.0625),
        ([IN_EXPORTS, IN_EXPORTS], 0.0625),
        ([], None),
        ([IN_EXPORTS, IN_EXPORTS | {"smCount": 78}], None),
        ([IN_EXPORTS | {"computeMajor": 7}], None),
        ([IN_EXPORTS | {"maxWarpsPerSm": 0}], None),
        ([{"smCount": 132}], None),
    ],
)
def test_an_export_has_it_where_its_devices_are_described_and_alike(
    tmp_path: Path, gpus: list[dict[str, int]], expected: float | None
) -> None:
    trace = read_trace(_export(*gpus).write(tmp_path / "x.sqlite"), Want.SUMMARY | Want.LAUNCHED)
    assert trace.launched is not None
    assert [one.occupancy for one in trace.launched.shapes] == [expected]

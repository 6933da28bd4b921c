"""Occupancy of launches in Nsight exports, by the device's limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.nsight import Export

from tracer.trace.columns import Want
from tracer.trace.nsight.occupancy import Limits, occupancy
from tracer.trace.reader import read_trace

DATA = Path(__file__).parents[2] / "data"
H100 = Limits(multiprocessors=132, warps=64, blocks=32, registers=65536, shared_bytes=233472)
IN_EXPORTS = {
    "smCount": 132, "maxWarpsPerSm": 64, "maxBlocksPerSm": 32, "maxRegistersPerSm": 65536, "maxShmemPerSm": 233472,
    "computeMajor": 9,
}  # fmt: skip


def test_it_is_what_torch_profiler_estimates_of_the_same_launches_on_an_h100() -> None:
    trace = read_trace(DATA / "h100_branches.json.gz", Want.SUMMARY | Want.LAUNCHED)
    assert trace.launched is not None
    told = 0
    for one in trace.launched.shapes:
        if one.occupancy and one.grid and one.block and one.registers is not None and one.shared_bytes is not None:
            told += 1
            assert occupancy(H100, one.grid, one.block, one.registers, one.shared_bytes) == pytest.approx(
                one.occupancy,
                abs=0.0051,  # it is written in whole percents
            ), one
    assert told > 3


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

"""How kernels were launched, as far as a file says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.chrome import EVERYTHING, document, kernel, launch, read_bytes
from support.layouts import LAYOUTS
from support.nsight import Export

from tracer.trace.columns import LaunchShape, OpKind, Trace, Want
from tracer.trace.reader import read_trace

WANT = Want.SUMMARY | Want.LAUNCHED
HOW = {
    "grid": [16, 4, 1], "block": [128, 1, 2], "registers per thread": 96, "shared memory": 49152,
    "est. achieved occupancy %": 12,
}  # fmt: skip
READ = LaunchShape(grid=(16, 4, 1), block=(128, 1, 2), registers=96, shared_bytes=49152, occupancy=0.12)


def _of_each(trace: Trace) -> list[LaunchShape | None]:
    launched = trace.launched
    assert launched is not None
    assert len(launched.of_op) == len(trace.ops)
    return [launched.shapes[number] if number >= 0 else None for number in launched.of_op.tolist()]


def test_a_chrome_trace_says_it_in_a_kernels_arguments() -> None:
    events = [kernel("k", 1, 1, 1, args=HOW), kernel("m", 3, 1, 2, cat="gpu_memcpy"), kernel("k", 5, 1, 3, args=HOW)]
    assert _of_each(read_bytes(document(*events), WANT)) == [READ, None, READ]


def test_with_what_else_is_asked_for_nothing_changes() -> None:
    events = [launch(0, 1, 1), kernel("k", 1, 1, 1, args={**HOW, "External id": 5})]
    both = read_bytes(document(*events), EVERYTHING | WANT)
    assert _of_each(both) == [READ]
    assert both.details is not None
    assert both.details.of_op.tolist() == [5]


def test_nobody_who_did_not_ask_is_told() -> None:
    assert read_bytes(document(kernel("k", 1, 1, 1, args=HOW)), Want.SUMMARY).launched is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("grid", [1, 2]), ("grid", [1, 2, -3]), ("grid", "16"), ("grid", [1, 2, 1e99]), ("block", {"x": 1}),
        ("registers per thread", "many"), ("registers per thread", True), ("shared memory", -1), ("shared memory", 1.5),
        ("est. achieved occupancy %", 400), ("est. achieved occupancy %", None),
    ],
)  # fmt: skip
def test_what_means_nothing_is_not_known_and_costs_nothing_else(key: str, value: Any) -> None:
    (found,) = _of_each(read_bytes(document(kernel("k", 1, 1, 1, args={**HOW, key: value})), WANT))
    field = {"registers per thread": "registers", "shared memory": "shared_bytes"}.get(key, key)
    field = "occupancy" if field.startswith("est.") else field
    assert found is not None
    for name in ("grid", "block", "registers", "shared_bytes", "occupancy"):
        assert getattr(found, name) == (None if name == field else getattr(READ, name))


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_way_of_reading_finds_the_same(chrome_trace: Path, jobs: int) -> None:
    asked = read_trace(chrome_trace, WANT, jobs=jobs)
    plain = read_trace(chrome_trace, Want.SUMMARY)
    assert asked.ops.start_ns.tolist() == plain.ops.start_ns.tolist()
    found = _of_each(asked)
    assert found == _of_each(read_trace(chrome_trace, WANT, jobs=1))
    kinds = asked.ops.kind.tolist()
    assert all(shape is None for shape, kind in zip(found, kinds, strict=True) if kind != OpKind.KERNEL)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_however_the_file_is_laid_out(layout: str) -> None:
    data = document(*[kernel("k", at, 1, at, args={**HOW, "grid": [at, 1, 1]}) for at in range(1, 40)])
    laid_out = LAYOUTS[layout](data)
    assert [shape and shape.grid for shape in _of_each(read_bytes(laid_out, WANT))] == [(x, 1, 1) for x in range(1, 40)]


def test_an_export_of_nsight_says_it_in_columns(tmp_path: Path) -> None:
    columns = {f"{kind}{axis}": size for kind, sizes in (("grid", (16, 4, 1)), ("block", (128, 1, 2)))
               for axis, size in zip("XYZ", sizes, strict=True)}  # fmt: skip
    export = Export().copy(0, 5, 1)
    export.kernel("k", 10, 20, 2, **columns, registersPerThread=96, staticSharedMemory=152, dynamicSharedMemory=49000)
    trace = read_trace(export.write(tmp_path / "a.sqlite"), WANT)
    expected = LaunchShape(grid=(16, 4, 1), block=(128, 1, 2), registers=96, shared_bytes=49152)
    assert _of_each(trace) == [expected, None]
    assert trace.ops.kind.tolist() == [OpKind.KERNEL, OpKind.MEMCPY]


def test_an_export_without_those_columns_says_nothing(tmp_path: Path) -> None:
    trace = read_trace(Export().kernel("k", 10, 20, 2).write(tmp_path / "a.sqlite"), WANT)
    assert _of_each(trace) == [LaunchShape()]


def test_of_an_export_without_kernels_there_is_nothing_to_say(tmp_path: Path) -> None:
    trace = read_trace(Export().copy(0, 5, 1).write(tmp_path / "a.sqlite"), WANT)
    assert _of_each(trace) == [None]


def test_an_occupancy_of_nothing_is_unknown_since_what_runs_holds_some_warps() -> None:
    (shape,) = _of_each(read_bytes(document(kernel("k", 1, 1, 1, args={**HOW, "est. achieved occupancy %": 0})), WANT))
    assert shape is not None
    assert (shape.occupancy, shape.registers) == (None, 96)

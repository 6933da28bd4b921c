"""Every real export at hand, against plain SQL on its tables."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tracer.charge.launches import find_launches
from tracer.summarize import summarize
from tracer.trace.api import synchronises
from tracer.trace.columns import OpKind, Trace, Want
from tracer.trace.reader import read_trace

OPS = {
    OpKind.KERNEL: "CUPTI_ACTIVITY_KIND_KERNEL",
    OpKind.MEMCPY: "CUPTI_ACTIVITY_KIND_MEMCPY",
    OpKind.MEMSET: "CUPTI_ACTIVITY_KIND_MEMSET",
}
KERNEL_NAMES = """
    SELECT StringIds.value, start, end FROM CUPTI_ACTIVITY_KIND_KERNEL JOIN StringIds ON StringIds.id = demangledName
"""
# The launch of an op: the call with its correlation in its process.
UNLAUNCHED = """
    SELECT count(*) FROM {table} AS op WHERE NOT EXISTS (
        SELECT 1 FROM CUPTI_ACTIVITY_KIND_RUNTIME AS call
        WHERE call.correlationId = op.correlationId AND call.globalTid >> 24 = op.globalPid >> 24
    )
"""
# Calls that an event, a stream or a context was waited for in (1, 3, 4; 2 is one stream waiting for another).
WAITED = """
    SELECT DISTINCT StringIds.value FROM CUPTI_ACTIVITY_KIND_SYNCHRONIZATION AS sync
    JOIN CUPTI_ACTIVITY_KIND_RUNTIME AS call
        ON call.correlationId = sync.correlationId AND call.globalTid >> 24 = sync.globalPid >> 24
    JOIN StringIds ON StringIds.id = call.nameId
    WHERE sync.syncType IN (1, 3, 4)
"""


def _rows(path: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as connection:
        return connection.execute(query).fetchall()


def _tables(path: Path) -> set[str]:
    return {name for (name,) in _rows(path, "SELECT name FROM sqlite_master")}


@pytest.fixture
def trace(nsight_export: Path) -> Trace:
    return read_trace(nsight_export, Want.SUMMARY)


def test_kernels_have_their_names_and_times(nsight_export: Path, trace: Trace) -> None:
    expected = _rows(nsight_export, KERNEL_NAMES) if OPS[OpKind.KERNEL] in _tables(nsight_export) else []
    columns = (trace.ops.name.tolist(), trace.ops.start_ns.tolist(), trace.ops.end_ns.tolist(), trace.ops.kind.tolist())
    found = [
        (trace.strings[name], start, end)
        for name, start, end, kind in zip(*columns, strict=True)
        if kind == OpKind.KERNEL
    ]
    assert Counter(found) == Counter(expected)


def test_ops_without_a_launch_are_those_that_sql_finds(nsight_export: Path, trace: Trace) -> None:
    unlaunched = find_launches(trace) < 0
    for kind, table in OPS.items():
        expected = _rows(nsight_export, UNLAUNCHED.format(table=table))[0][0] if table in _tables(nsight_export) else 0
        assert int((unlaunched & (trace.ops.kind == kind)).sum()) == expected
        if nsight_export.name == "nsight_h100_2gpu.sqlite" and kind is OpKind.KERNEL:
            assert (expected, int((trace.ops.kind == kind).sum())) == (1810, 3442)


def test_calls_with_a_record_of_synchronisation_are_those_known_to_wait(nsight_export: Path) -> None:
    """So nothing is lost by going by names, which Chrome traces have too."""
    if not {"CUPTI_ACTIVITY_KIND_SYNCHRONIZATION", "CUPTI_ACTIVITY_KIND_RUNTIME"} <= _tables(nsight_export):
        return
    for (name,) in _rows(nsight_export, WAITED):
        assert synchronises(re.sub(r"_v\d{4,}$", "", name)), name


def test_time_is_conserved(trace: Trace) -> None:
    summary = summarize(trace)
    if not summary.device.ops:  # ranges alone
        assert all(stage.device_time_ns is None for stage in summary.stages)
        return
    rest = summary.device.unattributed
    for field in ("time_ns", "busy_ns", "idle_ns"):
        of_stage = "device_time_ns" if field == "time_ns" else field
        stages = sum(getattr(stage, of_stage) for stage in summary.stages)
        between = summary.device.between.idle_ns if field == "idle_ns" else 0
        assert stages + getattr(rest, field) + between == getattr(summary.device, field)
    assert sum(reason.time_ns for reason in rest.reasons.values()) == rest.time_ns

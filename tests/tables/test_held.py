"""What the text says of memory and energy the tables say."""

from __future__ import annotations

from typing import Any

import pytest
from support.held import EVENTS, GB, KV, energy, memory, recorded

from tracer.document.summary import Energy, Summary

pytest.importorskip("pyarrow", reason="pip install '.[tables]'")

from tracer.tables.arrow import arrow_tables

NAMES = ("stages", "tokens", "footprint", "energy")


def _rows(summary: Summary) -> dict[str, list[dict[str, Any]]]:
    return {name: table.to_pylist() for name, table in arrow_tables(None, summary, NAMES).items()}


def test_memory_of_each_stage_and_what_it_says_of_the_whole() -> None:
    found = _rows(recorded(held=memory()))
    prefill = found["footprint"][1]
    assert {key: prefill[key] for key in ("stage", "start_bytes", "peak_bytes", "end_bytes", "needs_bytes")} == {
        "stage": "prefill", "start_bytes": 14 * GB, "peak_bytes": 16 * GB, "end_bytes": 15 * GB, "needs_bytes": 2 * GB,
    }  # fmt: skip
    assert (prefill["before_bytes"], prefill["weight_bytes"], prefill["kv_token_bytes"]) == (14 * GB, 13 * GB, KV)
    assert (prefill["device_bytes"], prefill["outside_bytes"], prefill["reserved_bytes"]) == (80 * GB, GB, 20 * GB)
    stage = next(row for row in found["stages"] if row["stage"] == "prefill")
    assert (stage["memory_peak_bytes"], stage["memory_source"]) == (16 * GB, "clean")


def test_energy_of_stages_requests_tokens_and_idling() -> None:
    summary = recorded(used=energy())
    assert isinstance(summary.energy, Energy)
    found = {row["of"]: row for row in _rows(summary)["energy"]}
    assert list(found) == [*(one.stage for one in summary.energy.stages), "token", "idle"]
    for one in summary.energy.stages:
        row = found[one.stage]
        assert (row["joules"], row["watts"], row["above_idle_joules"]) == (one.joules, one.watts, one.above_idle_joules)
        assert (row["low_joules"], row["high_joules"]) == (one.interval or (None, None))
    assert found["prefill"]["reason"] == "too short"
    assert summary.energy.per_token is not None
    assert found["token"]["joules"] == summary.energy.per_token.joules
    assert found["idle"]["watts"] == 100
    vision = next(row for row in _rows(summary)["stages"] if row["stage"] == "vision")
    assert (vision["energy_joules"], vision["energy_low_joules"]) == (10.0, pytest.approx(9.8))


def test_what_was_not_recorded_is_null_and_not_nought() -> None:
    found = _rows(recorded())
    assert (found["footprint"], found["energy"]) == ([], [])
    assert {row[key] for row in found["stages"] for key in row if key.startswith(("memory_", "energy_"))} == {None}
    assert {row["memory_peak_bytes"] for row in found["tokens"]} == {None}


def test_a_step_has_the_memory_that_was_recorded_in_it() -> None:
    from support.chrome import document, read_bytes

    from tracer.summarize import summarize
    from tracer.trace.columns import Want

    args = {"Bytes": 50, "Device Type": 1, "Device Id": 0, "Addr": 1, "Total Allocated": 150, "Total Reserved": 200}
    one = {"ph": "i", "cat": "cpu_instant_event", "s": "t", "name": "[memory]", "pid": 100, "tid": 1, "ts": 250}
    trace = read_bytes(document(*EVENTS, one | {"args": args}), Want.SUMMARY | Want.MEMORY)
    found = _rows(summarize(trace))
    (step,) = found["tokens"]
    assert (step["memory_start_bytes"], step["memory_peak_bytes"], step["memory_end_bytes"]) == (100, 150, 150)
    assert {row["memory_source"] for row in found["stages"]} == {"trace"}

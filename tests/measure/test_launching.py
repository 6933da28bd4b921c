"""Whether the code is slow that launches, or the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.chrome import operator, trace_of
from support.findings import GEMM, latencies, recorded, stage

from reports.document import of_summary
from reports.render.text import render
from tracer.document.summary import Summary
from tracer.findings.launch_bound import FINDING
from tracer.peaks.launches import floor_of, remember_floor
from tracer.summarize import summarize


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def _summary(*, clean_us: int | None = 361, host: str | None = "a processor") -> Summary:
    """A stage of 361 us and nine launches, whose device waits for them; without a profiler it takes `clean_us`."""
    work = [*stage("tracer/vision", 0, 40, [GEMM] * 9), operator("aten::mm", 5, 1)]
    device: dict[str, Any] = {"name": "a device", "type": "cuda"} | ({} if host is None else {"host": host})
    clean = [] if clean_us is None else [latencies(vision_us=clean_us)]
    profiled = [latencies(vision_us=361)]
    return summarize(trace_of(*work, tracer=recorded(clean=clean, profiled=profiled, device=device)))


def _words(summary: Summary) -> str:
    return " ".join(render(of_summary(summary), width=200).split())


@pytest.mark.parametrize(("floor_ns", "slow"), [(20_000, "code"), (20_100, "machine")])
def test_twice_the_least_is_the_codes(floor_ns: float, slow: str) -> None:
    """361 us of nine launches are 40.1 us each."""
    remember_floor("a device", "a processor", floor_ns)
    found = _summary()
    assert found.launching is not None
    assert found.launching.floor_ns == floor_ns
    (row,) = found.launching.stages
    assert (row.stage, row.launches, row.slow) == ("vision", 9, slow)
    assert row.each_ns == pytest.approx(361_000 / 9, rel=0.01)
    finding = next(one for one in found.findings if one.id == FINDING.id)
    assert finding.evidence["launching"] == {
        "floor_ns": floor_ns,
        "stages": {"vision": {"each_ns": row.each_ns, "slow": slow}},
    }
    said = {"code": "2 times the least", "machine": "near the least"}[slow]
    assert said in _words(found)
    assert {"code": "2 times as long for a launch", "machine": "near the 20.1"}[slow] in finding.message


def test_the_profilers_part_is_taken_out_and_where_it_is_unknown_nothing_is_judged() -> None:
    remember_floor("a device", "a processor", 10_000)
    quicker, unknown = _summary(clean_us=240).launching, _summary(clean_us=None)
    assert quicker is not None
    assert quicker.stages[0].each_ns == pytest.approx(240_000 / 9, rel=0.01)
    assert unknown.launching is not None
    assert unknown.launching.stages[0].slow is None
    assert "profiler and all" in _words(unknown)


def test_without_a_measurement_of_that_host_it_is_said_how_to_get_one() -> None:
    remember_floor("a device", "another processor", 10_000)
    found = _summary()
    assert found.launching is not None
    assert (found.launching.floor_ns, found.launching.stages[0].slow) == (None, None)
    assert "at least on a processor; tracer calibrate there measures it" in _words(found)
    assert "does not say on which host" in _words(_summary(host=None))


def test_a_trace_of_somebody_elses_is_held_to_no_host_of_ours() -> None:
    assert summarize(trace_of(*stage("tracer/vision", 0, 40, [GEMM] * 9), operator("aten::mm", 5, 1))).launching is None


@pytest.mark.parametrize("text", [b"", b"[1]", b'{"a device by a processor": -3}', b"\xff"])
def test_a_damaged_cache_knows_nothing(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "tracer").mkdir()
    (tmp_path / "tracer" / "launches.json").write_bytes(text)
    assert floor_of("a device", "a processor") is None

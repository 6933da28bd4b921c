"""Annotated traces in the real Perfetto UI and trace processor; skipped where there is no browser or no UI."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import ranks
from support.chrome import call, kernel, launch, span, write
from support.perfetto import SHOWN, STAGES, TRACK, Perfetto, opened, perfetto
from support.ranks import Plan, play
from support.typed import python

from tracer.choices import Choices
from tracer.perfetto.annotate import annotate
from tracer.perfetto.merge import merge
from tracer.summarize import summarize_file

OF_PROCESSES = """
select p.name as name, count(*) as slices from slice s join thread_track t on t.id = s.track_id
join thread using (utid) join process p using (upid) group by 1
"""
_ENDS = """
select s.id, p.name from slice s join thread_track t on t.id = s.track_id
join thread using (utid) join process p using (upid)
"""
ARROWS = f"""
select a.name as begin, b.name as end, count(*) as arrows from flow
join ({_ENDS}) a on a.id = flow.slice_out join ({_ENDS}) b on b.id = flow.slice_in group by 1, 2
"""
CAUSES = ("host", "sync", "launch", "unknown", "between")


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perfetto]:
    with perfetto(tmp_path_factory.mktemp("ui")) as opened_ui:
        yield opened_ui


def _trace(path: Path) -> Path:
    base = 4550342860317
    events = [
        span("warm-up", base - 1000, 10), span("tracer/request#0", base, 100), span("tracer/prefill", base + 12, 10),
        launch(base + 13, 1, 2), kernel("gemm", base + 20, 10, 2), span("tracer/decode#1", base + 30, 30),
        launch(base + 31, 1, 3), kernel("gemv", base + 40, 5, 3), call("cudaDeviceSynchronize", base + 46, 9),
        kernel("late", base + 90_000, 5, 9),
    ]  # fmt: skip
    return write(path, *events, baseTimeNanoseconds=1_700_000_000_000_000_000)


@dataclass(frozen=True)
class Offline:
    """What `tracer open --offline` gave, and what the UI then showed."""

    process: subprocess.Popen[str]
    address: str
    gemms: list[dict[str, Any]]
    window_ns: tuple[int, int]


@pytest.fixture(scope="module")
def offline(ui: Perfetto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Offline]:
    trace = _trace(tmp_path_factory.mktemp("offline") / "my run.json")
    command = [python(), "-m", "tracer", "open", str(trace), "--offline", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            address = process.stdout.readline().strip()
            if not address:
                reason = process.stderr.read()
                assert "in use" in reason, reason
                pytest.skip("127.0.0.1:9001 is in use here")
            with opened(ui.browser, address) as loaded:
                gemms = loaded.ask("select count(*) as count from slice where name = 'gemm'")
                for _ in range(300):  # it zooms once all tracks are there
                    start, end = (int(bound) - 4550342860317_000 for bound in loaded.page.evaluate(SHOWN))
                    if start > -1_000_000:
                        break
                    loaded.page.wait_for_timeout(100)
            yield Offline(process, address, gemms, (start, end))
        finally:
            process.kill()


def test_open_offline_shows_the_first_request(offline: Offline) -> None:
    assert offline.address.startswith("http://127.0.0.1:9001/#!/?url=")
    assert offline.gemms == [{"count": 1}]
    start, end = offline.window_ns
    assert -6_000 <= start < 0
    assert 100_000 < end <= 106_000


def test_an_annotated_trace_loads_like_the_original_and_says_what_the_summary_says(
    chrome_trace: Path, ui: Perfetto, tmp_path: Path
) -> None:
    annotated = tmp_path / "annotated.json.gz"
    annotate(chrome_trace, annotated, Choices())
    with ui.loaded(chrome_trace) as original:
        known, slices = original.errors(), original.ask("select count(*) as count from slice")[0]["count"]
    summary = summarize_file(chrome_trace)
    with ui.loaded(annotated) as loaded:
        assert loaded.errors() == known
        own = loaded.ask(f"select count(*) as count from ({TRACK.format('')})")[0]["count"]
        assert loaded.ask("select count(*) as count from slice")[0]["count"] == slices + own
        found = {row["stage"]: (row["time_ns"], row["busy_ns"], row["idle_ns"]) for row in loaded.ask(STAGES)}
        whole = [one for one in summary.stages if one.ops and None not in (one.device_time_ns, one.idle_ns)]
        assert {one.stage: found[one.stage] for one in whole} == {
            one.stage: (one.device_time_ns, one.busy_ns, one.idle_ns) for one in whole
        }
        if summary.device.kind == "gpu" and summary.device.idle_ns is not None:
            causes = " + ".join(f"coalesce(extract_arg(arg_set_id, 'args.{one}_ns'), 0)" for one in CAUSES)
            idle = loaded.ask(f"select sum({causes}) as idle from ({TRACK.format('idle')})")
            assert (idle[0]["idle"] or 0) == summary.device.idle_ns


def test_spans_lie_where_they_lie_to_the_nanosecond_and_nothing_is_dropped(ui: Perfetto, tmp_path: Path) -> None:
    annotated = tmp_path / "b.json"
    annotate(_trace(tmp_path / "a.json"), annotated, Choices())
    with ui.loaded(annotated) as loaded:
        base = 4550342860317_000
        stages = [
            (row["name"], row["ts"] - base, row["dur"], row["depth"]) for row in loaded.ask(TRACK.format("stages"))
        ]
        assert stages == [("prefill", 20_000, 10_000, 0), ("decode#1", 40_000, 5_000, 0)]
        idle = [(row["name"], row["ts"] - base, row["dur"]) for row in loaded.ask(TRACK.format("idle"))]
        assert idle[:2] == [("host", 30_000, 1_000), ("launch", 31_000, 9_000)]
        counters = {row["name"] for row in loaded.ask("select distinct name from counter_track")}
        assert counters == {"busy share %", "launches in flight"}


def test_ranks_in_one_file_are_processes_of_their_own_and_no_arrow_leads_from_one_to_another(
    ui: Perfetto, tmp_path: Path
) -> None:
    plan = Plan(ranks=2, passes=2, layers=2, at=1, clock={1: 300_000_000})
    played = play(plan)
    for rank, events in enumerate(played):
        for event in list(events):
            if "correlation" in event["args"]:
                event |= {"pid": rank, "tid": 7} if event["cat"] == "kernel" else {}
                arrow = {"ph": "f" if event["cat"] == "kernel" else "s", "cat": "ac2g", "name": "ac2g", "bp": "e"}
                place = {key: event[key] for key in ("pid", "tid", "ts")}
                events.append({**arrow, **place, "id": event["args"]["correlation"]})
    merge(ranks.write(tmp_path, plan, played), tmp_path / "merged.json", Choices(jobs=1))
    with ui.loaded(tmp_path / "merged.json") as loaded:
        assert loaded.errors() == {}
        slices = {row["name"]: row["slices"] for row in loaded.ask(OF_PROCESSES) if "tracer" not in row["name"]}
        whole = {rank: [event for event in events if event["ph"] == "X"] for rank, events in enumerate(played)}
        assert slices == {
            f"[rank {rank}] {pid}": sum(event["pid"] == pid for event in whole[rank])
            for rank in whole
            for pid in (100, rank)
        }
        arrows = {(row["begin"], row["end"]): row["arrows"] for row in loaded.ask(ARROWS)}
        assert arrows == {(f"[rank {rank}] 100", f"[rank {rank}] {rank}"): 8 for rank in whole}


def test_open_offline_ends_when_nothing_more_is_asked_for(offline: Offline) -> None:
    """It waits ten seconds for that, in which the tests above run."""
    assert offline.process.stdout is not None
    said = offline.process.stdout.read()  # with what is in the buffer behind the address
    offline.process.wait(timeout=120)
    assert "ssh -L 9001:127.0.0.1:9001 " in said
    assert said.endswith("fetched\n")
    assert offline.process.returncode == 0

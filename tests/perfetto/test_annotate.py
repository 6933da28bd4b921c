from __future__ import annotations

import gzip
import json
from bisect import bisect_left
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support import layouts
from support.chrome import Event, call, capture, document, kernel, launch, operator, span, write

import tracer.perfetto.annotate as module
from tracer.choices import Choices
from tracer.document.errors import InputError
from tracer.document.summary import Summary, encode
from tracer.perfetto.annotate import Annotated, annotate
from tracer.summarize import summarize_file
from tracer.trace.chrome.tracks import PROCESS

EVENTS = [
    span("tracer/request#0", 0, 100),
    span("tracer/vision", 1, 10), launch(2, 1, 1), kernel("conv", 5, 10, 1),
    span("tracer/prefill", 12, 10), launch(13, 1, 2), kernel("gemm", 20, 10.125, 2),
    span("tracer/decode#1", 30, 30), launch(31, 1, 3), kernel("gemv", 40, 5.001, 3),
    call("cudaDeviceSynchronize", 46, 9),
    span("tracer/decode#2", 60, 30), launch(61, 1, 4), kernel("gemv", 70, 6, 4), kernel("norm", 80, 2, 9),
]  # fmt: skip
REWRITERS = [
    layouts.one_line, layouts.compact, layouts.indented, layouts.event_per_line, layouts.sorted_keys, layouts.bare_list,
    layouts.metadata_behind, layouts.windows_lines,
]  # fmt: skip


def _add(path: Path, name: str = "annotated.json") -> Path:
    output = path.with_name(name)
    annotate(path, output, Choices())
    return output


def _text(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def _summary(path: Path) -> bytes:
    summary = summarize_file(path)
    info = msgspec.structs.replace(summary.trace, path="")
    return encode(msgspec.structs.replace(summary, trace=info))


def _ours(path: Path) -> list[dict[str, Any]]:
    found = json.loads(_text(path))
    events = found if isinstance(found, list) else found["traceEvents"]
    return [event for event in events if event.get("pid") == PROCESS]


def _track(path: Path, name: str) -> list[dict[str, Any]]:
    ours = _ours(path)
    (thread,) = {one["tid"] for one in ours if one["name"] == "thread_name" and one["args"]["name"] == name}
    return [one for one in ours if one.get("tid") == thread and one["ph"] != "M"]


def _check(original: Path, annotated: Path) -> None:
    """The original is in the annotated file, byte for byte, with one piece put into it; and says the same."""
    before, after = _text(original), _text(annotated)
    alike = bisect_left(range(len(before) + 1), True, key=lambda count: before[:count] != after[:count]) - 1
    assert after.endswith(before[alike:])
    assert _summary(annotated) == _summary(original)
    again = _add(annotated, "again.json")
    assert _text(again) == after, "annotated twice is not annotated once"


def test_a_real_trace_is_unchanged_but_for_the_tracks(chrome_trace: Path, tmp_path: Path) -> None:
    original = tmp_path / chrome_trace.name
    original.write_bytes(chrome_trace.read_bytes())
    _check(original, _add(original))


@pytest.mark.parametrize("rewrite", REWRITERS)
def test_tracks_are_laid_out_as_the_file_is(rewrite: Any, tmp_path: Path) -> None:
    original = tmp_path / "a.json"
    original.write_bytes(rewrite(document(*EVENTS, deviceProperties=[{"id": 0, "name": "GPU"}])))
    _check(original, _add(original))


@pytest.mark.parametrize(
    "text", ['{"traceEvents": []}', "[]", '{"traceEvents": [ ] , "more": [1]}', document(EVENTS[3]).decode()]
)
def test_a_list_of_no_or_one_event_takes_tracks(text: str, tmp_path: Path) -> None:
    original = tmp_path / "a.json"
    original.write_text(text)
    _check(original, _add(original))


def test_a_trace_that_is_not_read_has_its_tracks_replaced_too(tmp_path: Path) -> None:
    event = {"ph": "X", "cat": "Session", "name": "model_run", "pid": 1, "tid": 2, "ts": 3, "dur": 4, "args": {}}
    original = write(tmp_path / "a.json", event, event | {"ts": 9})
    _check(original, _add(original))


@pytest.mark.parametrize("name", ["b.json", "b.json.gz"])
@pytest.mark.parametrize("packed", [False, True])
def test_either_may_be_packed(name: str, packed: bool, tmp_path: Path) -> None:
    original = write(tmp_path / "a", *EVENTS)
    if packed:
        original.write_bytes(gzip.compress(original.read_bytes()))
    annotated = _add(original, name)
    assert (annotated.read_bytes()[:2] == b"\x1f\x8b") is name.endswith(".gz")
    _check(original, annotated)


def test_what_is_larger_than_the_tail_that_is_held_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = write(tmp_path / "a.json", *EVENTS * 40)
    packed = tmp_path / "a.json.gz"
    packed.write_bytes(gzip.compress(original.read_bytes()))
    whole = _text(_add(original, "whole.json"))
    monkeypatch.setattr(module, "TAIL_BYTES", 2000)
    assert _text(_add(original)) == whole
    assert _text(_add(packed)) == whole
    _check(original, tmp_path / "annotated.json")


def test_a_stage_is_a_span_on_the_device_with_the_summarys_figures(tmp_path: Path) -> None:
    annotated = _add(write(tmp_path / "a.json", *EVENTS))
    stages = _track(annotated, "stages")
    assert [(one["name"], one["ts"], one["dur"]) for one in stages] == [
        ("vision", 5.0, 10.0), ("prefill", 20.0, 10.125), ("decode#1", 40.0, 5.001), ("decode#2", 70.0, 6.0),
    ]  # fmt: skip
    summary = summarize_file(annotated)
    assert _by_stage(stages) == _stage_figures(summary)
    assert [(one["args"]["request"], one["args"].get("token")) for one in stages] == [
        (0, None),
        (0, None),
        (0, 1),
        (0, 2),
    ]


def _by_stage(stages: list[dict[str, Any]]) -> dict[str, tuple[int, ...]]:
    keys = ("ops", "device_time_ns", "busy_ns", "idle_ns", "host_ns", "sync_ns", "launch_ns", "unknown_ns")
    names = {one["args"]["stage"] for one in stages}
    return {
        name: tuple(sum(one["args"].get(key, 0) for one in stages if one["args"]["stage"] == name) for key in keys)
        for name in names
    }


def _stage_figures(summary: Summary) -> dict[str, tuple[int, ...]]:
    return {
        one.stage: (one.ops, one.device_time_ns, one.busy_ns, one.idle_ns, *msgspec.structs.astuple(one.idle))
        for one in summary.stages
        if one.ops and None not in (one.device_time_ns, one.idle_ns)
    }


def test_tracks_of_a_real_trace_add_up_to_its_summary(chrome_trace: Path, tmp_path: Path) -> None:
    original = tmp_path / chrome_trace.name
    original.write_bytes(chrome_trace.read_bytes())
    summary, ours = summarize_file(original), _ours(_add(original))
    names = {one["tid"]: one["args"]["name"] for one in ours if one["name"] == "thread_name"}
    stages = [one for one in ours if names.get(one.get("tid"), "").startswith("stages") and one["ph"] == "X"]
    known = _stage_figures(summary)
    assert {name: figures for name, figures in _by_stage(stages).items() if name in known} == known
    if summary.device.kind == "gpu" and summary.device.idle_ns is not None:
        idle = [one for one in ours if names.get(one.get("tid"), "").startswith("idle") and one["ph"] == "X"]
        causes = ("host_ns", "sync_ns", "launch_ns", "unknown_ns", "between_ns")
        assert sum(one["args"].get(cause, 0) for one in idle for cause in causes) == summary.device.idle_ns


def test_idle_time_is_named_by_its_cause(tmp_path: Path) -> None:
    annotated = _add(write(tmp_path / "a.json", *EVENTS))
    assert [(one["name"], one["ts"], one["dur"], one["args"].get("before")) for one in _track(annotated, "idle")] == [
        ("launch", 15.0, 5.0, "prefill"),
        ("host", 30.125, 0.875, "decode#1"), ("launch", 31.0, 9.0, "decode#1"),
        ("sync", 45.001, 15.999, "decode#2"), ("launch", 61.0, 9.0, "decode#2"),
        ("unknown", 76.0, 4.0, None),
    ]  # fmt: skip


def test_counters_say_the_busy_share_and_the_launches_in_flight(tmp_path: Path) -> None:
    counters = [one for one in _ours(_add(write(tmp_path / "a.json", *EVENTS))) if one["ph"] == "C"]
    assert {one["name"] for one in counters} == {"busy share", "launches"}
    shares = [one["args"]["%"] for one in counters if one["name"] == "busy share"]
    assert (shares[0], min(shares), max(shares)) == (100.0, 0.0, 100.0)
    assert max(one["args"]["in flight"] for one in counters if one["name"] == "launches") == 2


def test_findings_are_instants_that_explain_themselves(tmp_path: Path) -> None:
    annotated = _add(write(tmp_path / "a.json", *EVENTS))
    instants = _track(annotated, "findings")
    found = {one.id: one for one in summarize_file(annotated).findings}
    assert found
    assert {one["name"]: one["args"]["message"] for one in instants} == {one.id: one.message for one in found.values()}
    assert all(one["ph"] == "i" and one["args"]["why"] and one["args"]["rule"] for one in instants)
    assert len({one["ts"] for one in instants}) == len(instants)


def test_nothing_is_drawn_of_what_was_launched_and_not_recorded(tmp_path: Path) -> None:
    lost = [launch(32 + number, 0.5, 100 + number) for number in range(9)]
    annotated = _add(write(tmp_path / "a.json", *EVENTS, *lost))
    summary = summarize_file(annotated)
    assert [stage.device_time_ns for stage in summary.stages] == [10_000, 10_125, None]
    stages = {one["name"]: one["args"] for one in _track(annotated, "stages")}
    assert stages["decode#1"] == {"stage": "decode", "request": 0, "token": 1, "ops": 1, "launches_not_recorded": 9}
    assert stages["decode#2"]["device_time_ns"] == 6000
    assert "idle_ns" not in stages["decode#2"]  # what was lost may have run before it
    assert stages["prefill"]["idle_ns"] == 5000
    assert not [one for one in _ours(annotated) if one["name"] == "busy share"]
    before = {one["args"].get("before") for one in _track(annotated, "idle")}
    assert {"prefill", "decode#1"} <= before
    assert "decode#2" not in before


def test_several_devices_have_tracks_with_their_numbers(tmp_path: Path) -> None:
    other = [launch(3, 1, 21), kernel("conv", 6, 4, 21, device=3)]
    annotated = _add(write(tmp_path / "a.json", *EVENTS, *other))
    names = [one["args"]["name"] for one in _ours(annotated) if one["name"] == "thread_name"]
    assert names == ["stages 0", "idle 0", "stages 3", "idle 3", "findings"]
    assert _track(annotated, "stages 3")[0]["args"]["device_time_ns"] == 4000


def test_a_run_on_a_cpu_has_its_stages_and_no_idle_device(tmp_path: Path) -> None:
    events = [span("tracer/prefill", 0, 10), operator("aten::mm", 1, 5), operator("aten::add", 7, 2)]
    annotated = _add(write(tmp_path / "a.json", *events))
    names = [one["args"]["name"] for one in _ours(annotated) if one["name"] == "thread_name"]
    assert names == ["stages", "findings"]
    (stage,) = _track(annotated, "stages")
    assert (stage["ts"], stage["dur"], stage["args"]["device_time_ns"]) == (1.0, 8.0, 7000)


def test_without_stages_the_idle_time_and_counters_are_there(tmp_path: Path) -> None:
    annotated = _add(write(tmp_path / "a.json", launch(0, 1, 1), kernel("a", 1, 1, 1), kernel("b", 5, 1, 2)))
    assert _track(annotated, "stages") == []
    assert [one["name"] for one in _track(annotated, "idle")] == ["unknown"]


def test_absolute_times_keep_their_nanoseconds(tmp_path: Path) -> None:
    start = 4550342860317
    text = document(*EVENTS, baseTimeNanoseconds=1_700_000_000_000_000_000).decode()
    shifted = text.replace('"ts": 20,', f'"ts": {start}.427,').replace('"ts": 13,', f'"ts": {start}.001,')
    original = tmp_path / "a.json"
    original.write_text(shifted.replace('"ts": 12,', f'"ts": {start}.000,'))
    assert f'"ts": {start}.427, "dur": 10.125' in _text(_add(original)).decode()


@pytest.mark.parametrize("layout", [layouts.indented, layouts.event_per_line])
def test_a_torn_trace_is_closed_behind_its_last_whole_event(layout: Any, tmp_path: Path) -> None:
    original = tmp_path / "a.json"
    text = layout(document(*EVENTS))
    original.write_bytes(text[: text.rindex(b'"norm"') + 30])
    output = tmp_path / "b.json"
    assert annotate(original, output, Choices()).torn
    events = json.loads(output.read_bytes())["traceEvents"]
    assert [event for event in events if event.get("pid") != PROCESS] == EVENTS[:-1]


def test_a_whole_trace_is_not_said_to_be_torn(tmp_path: Path) -> None:
    original = write(tmp_path / "a.json", *EVENTS)
    added = annotate(original, tmp_path / "b.json", Choices())
    assert added == Annotated(events=len(_ours(tmp_path / "b.json")), torn=False)


def test_tracks_that_were_laid_out_anew_are_refused(tmp_path: Path) -> None:
    annotated = _add(write(tmp_path / "a.json", *EVENTS))
    annotated.write_bytes(layouts.indented(annotated.read_bytes()))
    with pytest.raises(InputError, match="another program has laid out anew"):
        annotate(annotated, tmp_path / "c.json", Choices())
    assert not (tmp_path / "c.json").exists()
    assert _summary(annotated) == _summary(tmp_path / "a.json")  # read, they are still known


def test_names_from_a_trace_stay_in_their_quotes(tmp_path: Path) -> None:
    hostile = 'a"}, {"ph": "X", \\ </script>\u202e\n'
    events: list[Event] = [span("tracer/decode#1", 0, 50)]
    for number in range(60):
        events += [launch(number, 0.5, number + 1), kernel(hostile, number + 0.5, 0.4, number + 1)]
    annotated = _add(write(tmp_path / "a.json", capture(0, 100), *events))
    _check(tmp_path / "a.json", annotated)


def test_what_is_no_chrome_trace_is_refused(nsight_export: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a Chrome trace"):
        annotate(nsight_export, tmp_path / "b.json", Choices())


def test_a_file_that_claims_tracks_it_does_not_have_is_refused(tmp_path: Path) -> None:
    footer = {
        "ph": "M", "cat": "tracer", "name": "tracer tracks", "pid": PROCESS, "tid": PROCESS,
        "args": {"events": "000000000003", "bytes": "000000000400"},
    }  # fmt: skip
    original = write(tmp_path / "a.json", *EVENTS, footer)
    with pytest.raises(InputError, match="another program has laid out anew"):
        annotate(original, tmp_path / "b.json", Choices())


def test_memory_that_was_recorded_is_a_counter(tmp_path: Path) -> None:
    args = {"Bytes": 50, "Device Type": 1, "Device Id": 0, "Addr": 7, "Total Allocated": 150, "Total Reserved": 200}
    event = {"ph": "i", "cat": "cpu_instant_event", "name": "[memory]", "pid": 100, "tid": 1, "ts": 5, "args": args}
    counters = [one for one in _ours(_add(write(tmp_path / "a.json", *EVENTS, event))) if one["ph"] == "C"]
    assert [one["args"] for one in counters if one["name"] == "memory allocated"] == [{"bytes": 150}]

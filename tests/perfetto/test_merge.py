"""Ranks of one run in one file: nothing of a rank is lost or mixed with another's, and their times are on one clock."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import MORE_TRACES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import layouts
from support.ranks import Event, Plan, play, write

from tracer.charge.memory import device_lines
from tracer.choices import Choices
from tracer.document.errors import InputError
from tracer.perfetto.annotate import annotate
from tracer.perfetto.apart import ID_BITS, Apart
from tracer.perfetto.merge import merge
from tracer.perfetto.tracks import tracks
from tracer.summarize import charge, read, summarize_charged, summarize_file
from tracer.trace.chrome.tracks import PROCESS
from tracer.trace.source import Source

CHOICES = Choices(jobs=1)
SMALL = Plan(ranks=3, passes=2, layers=2, at=1)
JOINED, JOINING = ("id", "bind_id"), ("correlation", "External id")


def document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(), parse_float=Decimal)
    return found


def of_rank(path: Path, rank: int) -> list[Event]:
    """A rank's events, with what tells them apart taken off again."""
    mark, above = f"[rank {rank}] ", rank << ID_BITS
    found = []
    for event in document(path)["traceEvents"]:
        if not str(event["pid"]).startswith(mark):
            continue
        args = dict(event.get("args", {}))
        args |= {key: own(args[key], above, mark, 1) for key in JOINING if key in args}
        ids = {key: own(event[key], above, mark, 0) for key in JOINED if key in event}
        found.append({**event, **ids, "pid": event["pid"].removeprefix(mark), "args": args})
    return found


def own(value: Any, above: int, mark: str, least: int) -> Any:
    if isinstance(value, str):
        return value.removeprefix(mark)
    return value if value < least else value - above  # what was not moved fits no event


def plain(events: list[Event], later_us: int = 0) -> list[Event]:
    """Events as `of_rank` has them: ids of digits are numbers, those of processes are text."""
    found = []
    for event in json.loads(json.dumps(events), parse_float=Decimal):
        args = {key: number(value) if key in JOINING else value for key, value in event.get("args", {}).items()}
        ids = {key: number(event[key]) for key in JOINED if key in event}
        found.append({**event, **ids, "pid": str(event.get("pid", "")), "ts": event["ts"] + later_us, "args": args})
    return found


def number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdigit() else value


IDS = st.integers(0, 1 << 34) | st.integers(0, 99).map(str) | st.sampled_from(["0x1f", "a"])
EVENTS = st.fixed_dictionaries(
    {
        "ph": st.sampled_from(["X", "s", "f", "i", "C", "b"]),
        "name": st.text(max_size=5),
        "tid": st.integers(0, 9) | st.text("ab{}[],\" ", max_size=3),
        "ts": st.integers(0, 1 << 40).map(lambda value: value / 8),
    },
    optional={
        "pid": st.integers(-1, 900) | st.text("ab", max_size=3),
        "cat": st.sampled_from(["cpu_op", "ac2g", "python_function", "fwdbwd"]),
        "id": IDS, "bind_id": IDS, "dur": st.integers(0, 50),
        "args": st.dictionaries(
            st.sampled_from(["correlation", "External id", "device", "note"]), st.integers(0, 1 << 34), max_size=3
        ),
    },
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    extra=st.lists(st.lists(EVENTS, max_size=5), min_size=3, max_size=3),
    ahead_ns=st.integers(-(10**9), 10**9).map(lambda value: value * 1000),
    layout=st.sampled_from([None, layouts.indented, layouts.event_per_line, layouts.compact]),
)
def test_each_ranks_events_are_recovered(tmp_path: Path, extra: list[list[Event]], ahead_ns: int, layout: Any) -> None:
    plan = Plan(ranks=3, passes=2, layers=2, at=1, clock={1: ahead_ns})
    played = [own_events + more for own_events, more in zip(play(plan), extra, strict=True)]
    paths = write(tmp_path / "run", plan, played)
    for path in paths if layout is not None else []:
        path.write_bytes(layout(path.read_bytes()))
    output = tmp_path / "merged.json"
    found = merge(paths, output, CHOICES)
    assert found.events == sum(map(len, played))
    assert found.left_out == 0
    for rank, events in enumerate(played):
        later = document(output)["tracerRanks"][rank]["later_ns"]
        assert later in (0, -ahead_ns if rank == 1 else 0)
        assert of_rank(output, rank) == plain(events, later // 1000)


@pytest.mark.parametrize("devices", [{}, {0: 0, 1: 0, 2: 0}])
def test_the_summary_of_all_says_of_each_device_what_its_ranks_says(tmp_path: Path, devices: dict[int, int]) -> None:
    """Also where each rank numbers its own device from 0 on, and where each has its own clock."""
    plan = Plan(ranks=3, passes=3, layers=3, device={1: 2_000_000}, devices=devices, clock={2: 700_000_000})
    paths = write(tmp_path, plan)
    merge(paths, tmp_path / "merged.json", CHOICES)
    alone = [summarize_file(path) for path in paths]
    whole = summarize_file(tmp_path / "merged.json")
    assert sorted((one.ops, one.time_ns, one.busy_ns, one.idle_ns) for one in whole.device.each) == sorted(
        (each.device.ops, each.device.time_ns, each.device.busy_ns, each.device.idle_ns) for each in alone
    )
    for stage in whole.stages:
        own_rows = [one for each in alone for one in each.stages if one.stage == stage.stage]
        for name in ("calls", "ops", "device_time_ns", "busy_ns", "idle_ns", "cpu_ns"):
            assert getattr(stage, name) == sum(getattr(one, name) or 0 for one in own_rows), (stage.stage, name)
    assert any(warning.startswith("it holds ranks 0, 1, 2 of one run") for warning in whole.trace.warnings)


def test_collectives_of_all_ranks_end_together_whatever_their_clocks(tmp_path: Path) -> None:
    plan = Plan(ranks=3, passes=2, layers=2, at=1, clock={1: 500_000_000, 2: -40_000_000})
    found = merge(write(tmp_path, plan), tmp_path / "merged.json", CHOICES)
    assert (found.residual_ns, found.apart, found.missing) == (0, [], [])
    ends = [
        {
            event["ts"] + event["dur"]
            for event in of_rank(tmp_path / "merged.json", rank)
            if "AllReduce" in event["name"]
        }
        for rank in range(3)
    ]
    assert ends[0] == ends[1] == ends[2]
    assert len(ends[0]) == 4


def test_what_lies_at_other_bases_is_put_on_the_first_ones(tmp_path: Path) -> None:
    paths = write(tmp_path, SMALL)
    moved = json.loads(paths[1].read_text())
    for event in moved["traceEvents"]:
        event["ts"] -= 2_000_000
    paths[1].write_text(json.dumps({**moved, "baseTimeNanoseconds": 2_000_000_000}))
    merge(paths, tmp_path / "merged.json", CHOICES)
    assert of_rank(tmp_path / "merged.json", 1) == plain(play(SMALL)[1])


def test_the_tracks_are_those_that_annotate_makes_of_each_rank(tmp_path: Path) -> None:
    plan = Plan(ranks=2, passes=2, layers=2, at=1, clock={1: 300_000_000})
    paths = write(tmp_path, plan)
    merge(paths, tmp_path / "merged.json", CHOICES)
    ours = [event for event in document(tmp_path / "merged.json")["traceEvents"] if event.get("cat") == "tracer"][:-1]
    for place, path in enumerate(paths):
        process = PROCESS + 1000 * place
        of_process = [event for event in ours if event["pid"] == process]
        with Source(path) as source:
            charged = charge(read(source, CHOICES), CHOICES)
            made = tracks(summarize_charged(charged, CHOICES), charged, device_lines(charged.trace))
            alone = [json.loads('{"ph":' + text + "}", parse_float=Decimal) for text in made]
        assert of_process[0]["args"] == {"name": f"tracer rank {place}"}
        assert [event["name"] for event in of_process] == [event["name"] for event in alone]
        for event, other in zip(of_process[2:], alone[2:], strict=True):
            assert event.get("ts", 0) == other.get("ts", 0) - (300_000 * place if "ts" in other else 0)
            assert {**event, "pid": 0, "tid": 0, "ts": 0} == {**other, "pid": 0, "tid": 0, "ts": 0}


def test_tracks_that_a_rank_has_already_are_not_copied(tmp_path: Path) -> None:
    paths = write(tmp_path, SMALL)
    merge(paths, tmp_path / "merged.json", CHOICES)
    for path in paths:
        annotate(path, path, CHOICES)
    merge(paths, tmp_path / "again.json", CHOICES)
    once, again = document(tmp_path / "merged.json"), document(tmp_path / "again.json")
    assert once["traceEvents"] == again["traceEvents"]


def test_merged_again_annotated_it_has_one_set_of_tracks(tmp_path: Path) -> None:
    merge(write(tmp_path, SMALL), tmp_path / "merged.json", CHOICES)
    before = summarize_file(tmp_path / "merged.json")
    annotate(tmp_path / "merged.json", tmp_path / "merged.json", CHOICES)
    assert summarize_file(tmp_path / "merged.json") == before
    ours = {event["pid"] for event in document(tmp_path / "merged.json")["traceEvents"] if event.get("cat") == "tracer"}
    assert ours == {PROCESS}


def test_an_event_that_is_no_json_is_read_off_its_keys_and_the_file_is_json(tmp_path: Path) -> None:
    paths = write(tmp_path, SMALL)
    text = layouts.indented(paths[1].read_bytes())
    assert b'"cudaLaunchKernel"' in text
    paths[1].write_bytes(text.replace(b'"cudaLaunchKernel"', b'"a "quoted" name"', 1))
    found = merge(paths, tmp_path / "merged.json", CHOICES)
    assert found.left_out == 0
    assert 'a "quoted" name' in {event["name"] for event in of_rank(tmp_path / "merged.json", 1)}


def test_a_rank_that_was_cut_off_is_merged_up_to_there_and_named(tmp_path: Path) -> None:
    paths = write(tmp_path, SMALL)
    whole = layouts.indented(paths[1].read_bytes())
    paths[1].write_bytes(whole[: whole.rindex(b'"cudaStreamSynchronize"')])
    found = merge(paths, tmp_path / "merged.json", CHOICES)
    assert found.torn == [str(paths[1])]
    mine = of_rank(tmp_path / "merged.json", 1)
    assert mine == plain(play(SMALL)[1])[: len(mine)]
    assert mine


def test_of_a_run_without_one_rank_the_others_are_merged_and_it_is_named(tmp_path: Path) -> None:
    found = merge(write(tmp_path, SMALL)[:2], tmp_path / "merged.json", CHOICES)
    assert (found.ranks, found.missing) == ([0, 1], [2])


def test_ranks_that_no_collective_joins_keep_their_own_clocks_and_are_named(tmp_path: Path) -> None:
    played = play(SMALL)
    alone = [event for event in played[2] if "AllReduce" not in event["name"]]
    found = merge(write(tmp_path, SMALL, [*played[:2], alone]), tmp_path / "merged.json", CHOICES)
    assert 2 in found.apart
    assert of_rank(tmp_path / "merged.json", 2) == plain(alone)


def test_a_rank_twice_and_ranks_of_other_runs_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    first = write(tmp_path / "a", SMALL)
    with pytest.raises(InputError, match="give each rank of one run once"):
        merge([*first, write(tmp_path / "b", SMALL)[1]], tmp_path / "merged.json", CHOICES)
    with pytest.raises(InputError, match="of a run of 2 ranks"):
        merge([first[0], write(tmp_path / "c", Plan(ranks=2))[1]], tmp_path / "merged.json", CHOICES)
    assert not (tmp_path / "merged.json").exists()


def test_what_holds_ranks_already_is_refused(tmp_path: Path) -> None:
    merge(write(tmp_path, SMALL), tmp_path / "merged.json", CHOICES)
    with pytest.raises(InputError, match="it has several ranks already"):
        merge([tmp_path / "merged.json"], tmp_path / "again.json", CHOICES)


def test_a_part_of_a_trace_is_refused(tmp_path: Path) -> None:
    paths = write(tmp_path, SMALL)
    text = json.loads(paths[0].read_text())
    part = {"of": "x", "markers": "tracer", "tokens": True, "stages": [], "open": []}
    paths[0].write_text(json.dumps({"tracerPart": part, **text}))
    with pytest.raises(InputError, match="a part of a trace; merge the whole ones"):
        merge(paths, tmp_path / "merged.json", CHOICES)


def test_the_tensor_parallel_pair_is_one_file_that_says_what_both_say(tmp_path: Path) -> None:
    """Two H100: TRACER_MORE_TRACES holds the folder of `tp2_host_straggler`."""
    folders = [Path(folder) / "tp2_host_straggler" for folder in MORE_TRACES.split(":") if folder]
    found_there = next((folder for folder in folders if folder.is_dir()), None)
    if found_there is None:
        pytest.skip("no tp2_host_straggler among TRACER_MORE_TRACES")
    paths = [found_there / "rank0.json.gz", found_there / "rank1.json.gz"]
    found = merge(paths, tmp_path / "merged.json", CHOICES)
    assert (found.ranks, found.missing, found.left_out) == ([0, 1], [], 0)
    alone = [summarize_file(path) for path in paths]
    whole = summarize_file(tmp_path / "merged.json")
    assert whole.trace.events == sum(each.trace.events for each in alone)
    assert [(one.ops, one.time_ns, one.busy_ns, one.idle_ns) for one in whole.device.each] == [
        (each.device.ops, each.device.time_ns, each.device.busy_ns, each.device.idle_ns) for each in alone
    ]


@pytest.mark.parametrize("time", ["1e99999999", "-1e99999999", "1e999999", '"1e999999"', '"later"', "null"])
def test_what_is_no_time_of_any_clock_stays_as_it_is(time: str) -> None:
    (event,) = Apart(1, 1, 2, later_ns=5).all_of(b'{"ph": "i", "pid": 1, "ts": %s}' % time.encode())
    assert event == b'{"ph":"i","pid":"[rank 1] 1","ts":%s}' % time.encode()

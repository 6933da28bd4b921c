from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from support import layouts
from support.chrome import Event, call, capture, document, frame, kernel, launch, operator, span, write
from support.strategies import cpu_events, gpu_events

import tracer.perfetto.slice as module
from tracer.choices import Choices
from tracer.document.errors import InputError
from tracer.document.names import ALL_STAGES
from tracer.document.summary import HostTime, Summary, Token
from tracer.perfetto.annotate import annotate
from tracer.perfetto.asked import Asked
from tracer.perfetto.slice import cut_out
from tracer.summarize import summarize_file

FLOW = {"cat": "ac2g", "name": "ac2g"}


def _arrow(number: int, ts: float, op_ts: float) -> list[Event]:
    return [
        {"ph": "s", "id": number, "pid": 100, "tid": 1, "ts": ts, **FLOW},
        {"ph": "f", "id": number, "pid": 0, "tid": 7, "ts": op_ts, "bp": "e", **FLOW},
    ]


def _step(number: int, at: float) -> list[Event]:
    return [
        span(f"tracer/decode#{number}", at, 20),
        frame("model.py(3): step", at + 0.5, 15), operator("aten::mm", at + 1, 5),
        launch(at + 2, 1, 100 + number), kernel("gemv", at + 8, 10, 100 + number),
        *_arrow(100 + number, at + 2, at + 8),
        call("cudaStreamSynchronize", at + 10, 9.5),
    ]  # fmt: skip


EVENTS: list[Event] = [
    capture(0, 500), {"ph": "M", "name": "process_name", "pid": 100, "tid": 0, "ts": 0, "args": {"name": "python"}},
    frame("main.py(1): main", 1, 498), span("tracer/request#0", 5, 195), span("tracer/prefill", 10, 30),
    launch(12, 1, 90), kernel("gemm", 15, 20, 90), *_arrow(90, 12, 15),
    *[event for number in range(1, 8) for event in _step(number, 20 + 20 * number)],
    span("tracer/request#1", 220, 100), span("tracer/vision", 222, 5), launch(223, 1, 80), kernel("conv", 225, 4, 80),
    *[event | {"ts": event["ts"] + 200} for event in [*_step(1, 40), *_step(2, 60)]],
]  # fmt: skip


def _cut(path: Path, asked: Asked, name: str = "part.json", **more: Any) -> Path:
    output = path.with_name(name)
    cut_out(path, output, asked, Choices(), **more)
    return output


def _events(path: Path) -> list[dict[str, Any]]:
    data = path.read_bytes()
    found = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    return list(found["traceEvents"])


def _tokens(summary: Summary) -> list[Any]:
    """Without the host's layers: calls that reach into a range from before it, as random ones do, are not in a part."""
    return [msgspec.structs.astuple(msgspec.structs.replace(token, host=UNSET)) for token in summary.tokens]


def _in_calls(row: Token) -> tuple[int, int, int]:
    """The host's time in calls; whether operators of a thread were recorded, only the whole tells."""
    host = row.host
    return (host.launch_ns, host.copy_ns, host.sync_ns) if isinstance(host, HostTime) else (0, 0, 0)


def _stage(summary: Summary, name: str) -> Any:
    (stage,) = [stage for stage in summary.stages if stage.stage == name]
    return msgspec.structs.replace(stage, of_runs=None, wall_ns=None, host=UNSET)


def test_some_decode_steps_are_as_they_were_in_the_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", *EVENTS)
    whole, part = summarize_file(path), summarize_file(_cut(path, Asked(0, (3, 6))))
    assert [token.index for token in part.tokens] == [3, 4, 5]
    assert _tokens(part) == [one for one in _tokens(whole) if one[0] == 0 and 3 <= one[1] < 6]
    assert [stage.stage for stage in part.stages] == ["decode"]
    own = [token for token in whole.tokens if token.request == 0 and 3 <= token.index < 6]
    assert [_in_calls(token) for token in part.tokens] == [_in_calls(token) for token in own]


def test_all_that_belongs_to_a_step_is_there_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", *EVENTS)
    events = _events(_cut(path, Asked(0, (3, 4))))
    step = [*_step(3, 80)]
    before = _step(2, 60)
    beside = [*before[3:7], before[7]]  # what ran before, its launch, the arrow between them, and the wait for it
    kept = [*EVENTS[:4], *step, *beside]
    assert sorted(map(json.dumps, events)) == sorted(json.dumps(event) for event in kept)


def test_a_request_is_all_of_its_stages(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", *EVENTS)
    whole, part = summarize_file(path), summarize_file(_cut(path, Asked(1)))
    assert [stage.stage for stage in part.stages] == ["vision", "decode"]
    assert _stage(part, "vision") == _stage(whole, "vision")
    assert _tokens(part) == [one for one in _tokens(whole) if one[0] == 1]


def test_token_0_is_prefills(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", *EVENTS)
    part = summarize_file(_cut(path, Asked(0, (0, 2))))
    assert [(stage.stage, stage.calls) for stage in part.stages] == [("prefill", 1), ("decode", 1)]


@pytest.mark.parametrize("category", ["python_function", "cpu_op"])
def test_a_category_that_is_dropped_is_gone_and_changes_nothing(category: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", *EVENTS)
    part = _cut(path, Asked(0, (3, 6)), drop=[category])
    assert category not in {event.get("cat") for event in _events(part)}
    assert _tokens(summarize_file(part)) == [
        one for one in _tokens(summarize_file(path)) if one[0] == 0 and 3 <= one[1] < 6
    ]


def test_what_the_figures_rest_on_cannot_be_dropped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", *EVENTS)
    with pytest.raises(InputError, match="other figures than in the whole"):
        _cut(path, Asked(0, (3, 6)), drop=["kernel"])
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_arrows_have_both_ends_and_metadata_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", *EVENTS, deviceProperties=[{"id": 0, "name": "GPU"}], tracer={"x": 1})
    part = _cut(path, Asked(0, (3, 6)))
    flows = [(event["ph"], event["id"]) for event in _events(part) if event.get("cat") == "ac2g"]
    assert {one for _, one in flows} == {102, 103, 104, 105}
    assert sorted(flows) == sorted((end, one) for one in (102, 103, 104, 105) for end in "sf")
    found = json.loads(part.read_bytes())
    assert (found["deviceProperties"], found["tracer"], found["schemaVersion"]) == (
        [{"id": 0, "name": "GPU"}],
        {"x": 1},
        1,
    )


@pytest.mark.parametrize("rewrite", layouts.LAYOUTS.values(), ids=layouts.LAYOUTS)
@pytest.mark.parametrize("name", ["part.json", "part.json.gz"])
def test_whatever_the_layout_the_part_is_the_same(rewrite: Any, name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(document(*EVENTS))
    plain = _events(_cut(path, Asked(0, (3, 6)), "plain.json"))
    path.write_bytes(rewrite(document(*EVENTS)))
    assert _events(_cut(path, Asked(0, (3, 6)), name)) == plain
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert _events(_cut(path, Asked(0, (3, 6)), "packed.json")) == plain


def test_pairs_of_beginning_and_end_stay_pairs(tmp_path: Path) -> None:
    pairs: list[Event] = []
    for event in EVENTS:
        if event["ph"] == "X" and event.get("cat") in ("user_annotation", "python_function"):
            rest = {key: value for key, value in event.items() if key not in ("dur", "ph")}
            end = {"ph": "E", "pid": event["pid"], "tid": event["tid"], "ts": event["ts"] + event["dur"]}
            pairs += [rest | {"ph": "B"}, end]
        else:
            pairs.append(event)
    path = write(tmp_path / "a.json", *sorted(pairs, key=lambda event: event["ts"]))
    whole, part = summarize_file(path), _cut(path, Asked(0, (3, 6)))
    assert _tokens(summarize_file(part)) == [one for one in _tokens(whole) if one[0] == 0 and 3 <= one[1] < 6]
    phases = [event["ph"] for event in _events(part)]
    assert phases.count("B") == phases.count("E") > 3


def test_a_part_of_a_part_and_a_part_of_an_annotated_trace(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", *EVENTS)
    annotate(path, tmp_path / "b.json", Choices())
    once = _cut(path, Asked(0, (3, 5)), "once.json")
    assert _events(_cut(tmp_path / "b.json", Asked(0, (3, 5)), "annotated.json")) == _events(once)
    larger = _cut(path, Asked(0, (2, 7)), "larger.json")
    twice = summarize_file(_cut(larger, Asked(0, (3, 5)), "twice.json"))
    assert _tokens(twice) == _tokens(summarize_file(once))
    annotate(once, tmp_path / "c.json", Choices())
    assert _tokens(summarize_file(tmp_path / "c.json")) == _tokens(twice)


@pytest.mark.parametrize(("label", "engine"), [("tracer/decode#{}", False), ("step[DECODE bs=1]", True)])
def test_a_part_of_an_engines_trace_is_advised_as_the_whole_is(label: str, engine: bool, tmp_path: Path) -> None:
    events = []
    for number in range(8):
        at = 1000 * number
        events += [
            span(label.format(number), at, 990), launch(at + 2, 1, number + 1), kernel("gemv", at + 8, 10, number + 1),
            call("cudaStreamSynchronize", at + 10, 600),
        ]  # fmt: skip
    whole = write(tmp_path / "whole.json", *events)
    found = [summarize_file(path) for path in (whole, _cut(whole, Asked(tokens=(2, 7))))]
    advice = [[one.next_step for one in summary.findings if one.id == "sync-per-token"] for summary in found]
    assert len(advice[0]) == 1
    assert advice[0] == advice[1]
    assert ("the engine" in advice[0][0]) is engine


def test_a_part_says_that_it_is_one(tmp_path: Path) -> None:
    part = summarize_file(_cut(write(tmp_path / "a.json", *EVENTS), Asked(0, (3, 6), ("decode",))))
    assert "a part of a trace: request 0, tokens 3:6, decode of a.json; " in part.trace.warnings[0]
    assert part.trace.markers == "tracer"


STATED = '{"of": "", "markers": "", "tokens": true, "open": [], "stages": [%s]}'


@pytest.mark.parametrize(
    "part", ['{"of": 1}', "[]", STATED % '[5, 1, "1", "1", "decode", 1, 0]', STATED % '[1, 5, "1", "1", "dance", 1, 0]']
)
def test_a_part_that_states_nonsense_is_read_without_it(part: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", *EVENTS, tracerPart=json.loads(part))
    summary = summarize_file(path)
    assert _tokens(summary) == _tokens(summarize_file(write(tmp_path / "b.json", *EVENTS)))
    assert summary.trace.warnings[0].startswith("that it is a part of another trace was ignored: ")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (
            Asked(7),
            r"nothing in it is request 7; there are requests 0 to 1, decode steps 1 to 7, vision, prefill, decode",
        ),
        (Asked(0, (50, 60)), "nothing in it is request 0, tokens 50:60"),
        (Asked(1, None, ("prefill",)), "nothing in it is request 1, prefill"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(asked: Asked, why: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", *EVENTS)
    with pytest.raises(InputError, match=why):
        _cut(path, asked)


def test_a_trace_without_stages_has_no_part(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no stages in it"):
        _cut(write(tmp_path / "a.json", kernel("a", 0, 1)), Asked(0))


def _parts_of(whole: Summary) -> list[Asked]:
    """Some parts of a trace: a stage each, a request, and some of its steps."""
    stages = [Asked(None, None, (stage.stage,)) for stage in whole.stages]
    requests = sorted({token.request for token in whole.tokens if token.request >= 0})
    found = stages + [Asked(request) for request in requests[:2]]
    if whole.tokens:
        middle = whole.tokens[len(whole.tokens) // 2]
        request = middle.request if middle.request >= 0 else None
        found.append(Asked(request, (middle.index, middle.index + 2)))
    return found


def _says_the_same(path: Path, whole: Summary, asked: Asked) -> None:
    """A part has each of its tokens as the whole has them, and each stage that it has whole."""
    part = summarize_file(_cut(path, asked))
    known = _tokens(whole)
    for token in _tokens(part):
        assert token in known
    if asked.tokens is None and asked.request is None:
        (stage,) = asked.stages
        assert _stage(part, stage) == _stage(whole, stage)
    if asked.tokens is not None:
        steps = {token.index for token in part.tokens}
        assert steps >= {t.index for t in whole.tokens if asked.tokens[0] <= t.index < asked.tokens[1]} & steps != set()


def test_parts_of_a_real_trace_say_what_the_whole_says(chrome_trace: Path, tmp_path: Path) -> None:
    path = tmp_path / chrome_trace.name
    path.write_bytes(chrome_trace.read_bytes())
    whole = summarize_file(path)
    if not whole.stages:
        pytest.skip("no stages in it, so no parts")
    for asked in _parts_of(whole):
        _says_the_same(path, whole, asked)


def _check_random(events: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "a.json", *events)
        whole = summarize_file(path)
        for asked in _parts_of(whole):
            _says_the_same(path, whole, asked)


def test_a_launch_inside_one_that_begins_before_the_stage_is_none_by_itself_in_the_part() -> None:
    """The runtime's call and the driver's inside it are one, whichever of them the stage holds."""
    first = [launch(0, 1, 1), kernel("gemm", 2, 1, 1)]
    outer, inner = call("cudaLaunchKernel", 9, 4, 0), call("cuLaunchKernel", 11, 1, 2)
    _check_random([*first, outer, inner, span("tracer/decode#1", 10, 9)])


def test_a_part_knows_for_which_device_a_thread_works_that_lost_an_op() -> None:
    """Its other ops are outside of the stage: a thread without any might have lost one on any device."""
    elsewhere = [launch(0, 1, 2, tid=2), kernel("b", 2, 1, 2, device=1), launch(8, 1, 3, tid=2)]
    own = [launch(10, 1, 1), kernel("a", 5, 2), kernel("a", 14, 1, 1)]
    _check_random([*elsewhere, *own, span("tracer/vision", 9, 9)])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(gpu_events())
def test_parts_of_random_traces_say_what_the_whole_says(events: list[Event]) -> None:
    _check_random(events)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=40)
@given(cpu_events())
def test_parts_of_random_traces_of_a_cpu_say_what_the_whole_says(events: list[Event]) -> None:
    _check_random(events)


def test_every_stage_can_be_asked_for() -> None:
    assert Asked(None, None, tuple(ALL_STAGES)).words == ", ".join(ALL_STAGES)


def test_a_part_that_would_say_something_else_is_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.json", *EVENTS)
    (tmp_path / "part.json").write_text("before")
    monkeypatch.setattr(module, "write_part", lambda _source, file, *_: file.write(document()))
    with pytest.raises(InputError, match="other figures"):
        _cut(path, Asked(0, (3, 6)))
    assert (tmp_path / "part.json").read_text() == "before"


@given(st.data())
@settings(deadline=None, max_examples=100)
def test_no_event_near_an_interval_is_overlooked(data: st.DataObject) -> None:
    from tracer.arrays import int64
    from tracer.charge.intervals import Cover
    from tracer.perfetto.candidates import Candidates

    near = data.draw(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), min_size=1, max_size=3))
    cover = Cover.of(int64([a * 1000 for a, _ in near]), int64([(a + b) * 1000 for a, b in near]))
    shape = st.sampled_from(
        ['{"ph": "X", "ts": %s, "dur": %s}', '{"dur": %s, "ts": %s}', '{"ts":%s,"dur":%s, "args": {"ts": 7}}']
    )
    events, times = [], []
    for _ in range(data.draw(st.integers(1, 6))):
        ts, dur = data.draw(st.integers(0, 70)), data.draw(st.integers(0, 20))
        text = data.draw(shape)
        events.append(text % ((dur, ts) if text.startswith('{"dur"') else (ts, dur)))
        times.append((ts * 1000, (ts + dur) * 1000))
    text = (", ".join(events) + " " * 40).encode()
    places = Candidates(cover).places(text, 0, len(text))
    offset = 0
    for event, (start, end) in zip(events, times, strict=True):
        if cover.within(int64([start]), int64([end]))[0] > 0:
            assert any(offset <= place < offset + len(event) for place in places), event
        offset += len(event) + 2

"""What profilers really write, and what enemies do: read around, counted, or refused in one line."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from support.chrome import EVERYTHING, document, kernel, launch, read_bytes, span
from support.layouts import zipped

import tracer.trace.chrome.reader as reader
from tracer.document.errors import InputError, MissingError
from tracer.trace import source
from tracer.trace.columns import NO_CORRELATION, Trace, Want
from tracer.trace.reader import read_trace

GOOD = kernel("good", 10, 1, 1)

# As torch 2.13 lays an event out.
NATIVE = """  {{
    "ph": "X",
    "cat": "kernel",
    "name": "{name}",
    "pid": {pid},
    "tid": {tid},
    "ts": {ts},
    "dur": {dur}
    ,
    "args": {{
      "External id": 3,
      "device": {device}, "context": 1,
      "stream": 7, "correlation": {correlation},
      "est. achieved occupancy %": {occupancy}
    }}
  }}"""
PLAIN = {"name": "k", "pid": "0", "tid": "7", "ts": "20.500", "dur": "2.250", "device": "0", "correlation": "5"}


def _native(*changes: dict[str, str]) -> bytes:
    events = ",\n".join(NATIVE.format(**PLAIN | {"occupancy": "37"} | change) for change in changes)
    text = f' {{\n    "schemaVersion": 1,\n    "traceEvents": [\n    \n{events}\n  ],"traceName": "x" }}'
    return text.encode("utf-8", errors="surrogateescape")


def _names(trace: Trace) -> list[str]:
    return [trace.strings[name] for name in trace.ops.name.tolist()]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"occupancy": "inf"}, "k"),
        ({"occupancy": "-nan"}, "k"),
        ({"occupancy": "37,5"}, "k"),
        ({"name": 'fwd "q"'}, 'fwd "q"'),
        ({"name": 'a", "b'}, 'a", "b'),
        ({"name": "C:\\path\\new"}, "C:\\path\\new"),
        ({"name": "tab\there"}, "tab\there"),
        ({"name": "nul\x00here"}, "nul\x00here"),
        ({"name": "\udcff\udcfe"}, "\ufffd\ufffd"),
        ({"ts": '"20.500"', "dur": '"2.250"', "correlation": '"5"'}, "k"),
        ({"ts": "20,500", "dur": "2,250"}, "k"),
        ({"pid": '"0"', "tid": '"stream 7"'}, "k"),
        ({"ts": "2.05e1"}, "k"),
    ],
)
def test_an_event_that_profilers_spoil_is_read_all_the_same(change: dict[str, str], name: str) -> None:
    trace = read_bytes(_native({}, change, {}))
    assert _names(trace) == ["k", name, "k"]
    assert trace.ops.start_ns.tolist() == [20_500] * 3
    assert trace.ops.end_ns.tolist() == [22_750] * 3
    assert trace.ops.correlation.tolist() == [5] * 3
    assert (trace.ops.device.tolist(), trace.ops.stream.tolist()) == ([0] * 3, [7] * 3)
    assert trace.events == 3
    assert trace.warnings == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ts": "inf"}, "no usable timestamp"),
        ({"ts": "9" * 40}, "no usable timestamp"),
        ({"dur": "-nan"}, "no usable duration"),
        ({"dur": "-1"}, "negative duration"),
        ({"dur": "1e14"}, "duration of more than three months"),
        ({"dur": "[[[[1]]]]"}, "no usable duration"),
    ],
)
def test_an_event_without_a_usable_time_is_counted_and_costs_no_other(change: dict[str, str], reason: str) -> None:
    trace = read_bytes(_native({}, change, {}))
    assert _names(trace) == ["k", "k"]
    assert trace.warnings == [f"1 device op left out (k): {reason}"]


@pytest.mark.parametrize("correlation", ["null", "[]", '"x"', "1e99", "99999999999999999999", "-5", "0", '"\\ud800"'])
def test_a_correlation_that_is_none_leaves_the_op_without(correlation: str) -> None:
    trace = read_bytes(_native({"correlation": correlation}))
    assert trace.ops.correlation.tolist() == [NO_CORRELATION]


def test_deep_nesting_inside_one_event_costs_only_its_arguments() -> None:
    trace = read_bytes(_native({}, {"occupancy": "[" * 100_000 + "]" * 100_000}, {}))
    assert _names(trace) == ["k", "k", "k"]


def test_duplicate_keys_take_the_last() -> None:
    data = _native({}).replace(b'"name": "k"', b'"name": "first", "name": "k"')
    assert _names(read_bytes(data)) == ["k"]


def test_a_range_without_an_end_runs_to_the_end_of_the_trace() -> None:
    open_range = span("tracer/decode#1", 5, 0)
    del open_range["dur"]
    trace = read_bytes(document(open_range, kernel("k", 10, 30, 1)))
    assert trace.ranges.end_ns.tolist() == [40_000]
    assert trace.warnings == ["1 range has no end and was taken to run to the end of the trace"]


def test_beginnings_and_ends_are_joined_by_thread() -> None:
    def edge(phase: str, name: str, ts: float, tid: int) -> dict[str, object]:
        return {"ph": phase, "cat": "user_annotation", "name": name, "pid": 1, "tid": tid, "ts": ts}

    events = [
        edge("B", "a", 1, 1),
        edge("B", "b", 2, 2),
        edge("B", "c", 3, 1),
        edge("E", "", 5, 1),
        edge("E", "", 9, 1),
    ]
    trace = read_bytes(document(*events, kernel("k", 20, 1)))
    found = sorted(zip(trace.ranges.start_ns.tolist(), trace.ranges.end_ns.tolist(), strict=True))
    assert found == [(1_000, 9_000), (2_000, 21_000), (3_000, 5_000)]


def test_flows_stand_in_for_missing_correlations() -> None:
    def arrow(phase: str, number: int, pid: int, tid: int, ts: float) -> dict[str, object]:
        return {"ph": phase, "id": number, "cat": "ac2g", "name": "ac2g", "pid": pid, "tid": tid, "ts": ts}

    from tracer.charge.launches import find_launches

    call, op = launch(10, 2, 0), kernel("a", 20, 1)
    del call["args"]
    events = [call, op, kernel("b", 30, 1), launch(12, 1, 9), kernel("c", 40, 1, 9)]
    arrows = [arrow("s", 7, 100, 1, 10), arrow("f", 7, 0, 7, 20), arrow("f", 8, 0, 7, 30)]
    trace = read_bytes(document(*events, *arrows))
    assert find_launches(trace).tolist() == [0, -1, 1]


def _torn(cut: int) -> Trace:
    return read_bytes(_native({}, {}, {})[:cut])


@pytest.mark.parametrize("layout", ["native", "one line"])
def test_a_torn_file_is_read_up_to_its_last_whole_event(layout: str) -> None:
    data = _native({}, {}, {})
    if layout == "one line":
        data = json.dumps(json.loads(data)).encode()
    seen = set()
    for cut in range(data.index(b'"ph"') + 400, len(data) - 1):
        trace = read_bytes(data[:cut])
        seen.add(len(trace.ops))
        assert any("cut off" in warning for warning in trace.warnings), cut
    assert seen >= {1, 2, 3}


def test_what_was_lost_is_said_and_strict_refuses(tmp_path: Path) -> None:
    data = _native({}, {}, {})
    path = tmp_path / "torn.json"
    path.write_bytes(data[: data.rindex(b'"args"')])
    trace = read_trace(path, Want.SUMMARY)
    assert len(trace.ops) == 2
    (warning,) = trace.warnings
    assert warning.startswith("the file is cut off: read up to its last whole event")
    assert "bytes behind it lost" in warning
    with pytest.raises(InputError, match="cut off"):
        read_trace(path, Want.SUMMARY, strict=True)


def test_torn_and_damaged_gzip_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    events = [kernel(f"k{number}", number, 1, number + 1) for number in range(20_000)]
    packed = gzip.compress(json.dumps({"traceEvents": events}, indent=1).encode())
    path = tmp_path / "run.json.gz"
    path.write_bytes(packed[: len(packed) // 2])
    torn = read_trace(path, Want.SUMMARY)
    assert 1_000 < len(torn.ops) < 20_000
    assert "damaged (it breaks off)" in torn.warnings[0]
    middle = len(packed) // 2
    path.write_bytes(packed[:middle] + bytes(64) + packed[middle + 64 :])
    damaged = read_trace(path, Want.SUMMARY)
    assert damaged.warnings
    with pytest.raises(InputError):
        read_trace(path, Want.SUMMARY, strict=True)


@pytest.mark.parametrize(
    ("pack", "checksum"), [(gzip.compress, -6), (zstandard.ZstdCompressor(write_checksum=True).compress, -2)]
)
def test_a_wrong_checksum_costs_nothing_that_could_be_unpacked(pack: Callable[[bytes], bytes], checksum: int) -> None:
    packed = bytearray(pack(document(GOOD, GOOD)))
    packed[checksum] ^= 1
    trace = read_bytes(bytes(packed))
    assert _names(trace) == ["good", "good"]
    assert "damaged" in trace.warnings[0]


def test_a_zip_with_a_wrong_checksum_is_read_to_its_end() -> None:
    packed = bytearray(zipped(document(*[kernel(f"k{number}", number, 1, 1) for number in range(900)])))
    packed[packed.rfind(b"PK\x01\x02") + 16] ^= 1
    trace = read_bytes(bytes(packed))
    assert len(trace.ops) == 900
    assert "damaged (its checksum is wrong)" in trace.warnings[0]
    with pytest.raises(InputError, match="its checksum is wrong"):
        read_bytes(bytes(packed), strict=True)


def test_what_precedes_damage_does_not_depend_on_the_size_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = bytearray(gzip.compress(document(*[kernel(f"k{number}", number, 1, 1) for number in range(2000)])))
    packed[len(packed) * 2 // 3] ^= 16
    whole = read_bytes(bytes(packed))
    monkeypatch.setattr(source, "BLOCK_BYTES", 501)
    assert _names(read_bytes(bytes(packed))) == _names(whole)
    assert len(whole.ops) > 1000


def test_a_gzip_member_may_begin_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    data = document(GOOD, GOOD)
    packed = b"".join(gzip.compress(data[start : start + 7]) for start in range(0, len(data), 7))
    for size in range(1, 40):
        monkeypatch.setattr(source, "GZIP_READ_BYTES", size)
        assert _names(read_bytes(packed)) == ["good", "good"]


def test_a_byte_order_mark_may_be_packed() -> None:
    for events in ((), (GOOD,)):
        trace = read_bytes(gzip.compress(b"\xef\xbb\xbf" + document(*events)))
        assert (len(trace.ops), trace.warnings) == (len(events), [])


def test_a_torn_file_whose_layout_changes_is_read_to_its_end() -> None:
    one_line = b", ".join([json.dumps(GOOD).encode()] * 5)
    data = _native({}).removesuffix(b'\n  ],"traceName": "x" }') + b",\n" + one_line
    assert _names(read_bytes(data)) == ["k"] + ["good"] * 5


def test_a_damaged_event_does_not_hide_that_the_layout_changes() -> None:
    arrow = b'{"ph":"s","id":3,"cat":"ac2g","name":"ac2g","pid":100,"tid":1,"ts":50},'
    other = NATIVE.format(**PLAIN | {"name": "other", "occupancy": "37"}).lstrip().encode()
    data = _native({}, {"occupancy": "inf"}, {"name": "place"})
    place = data.index(b"{", data.rindex(b"},") + 1)
    assert _names(read_bytes(data[:place] + arrow + other + b",\n  " + data[place:])) == ["k", "k", "other", "place"]


@pytest.mark.parametrize("tail", [b"", b",", b", ", b"]", b'], "traceName": "x', b', {"ph": "X", "na'])
def test_a_last_event_that_is_whole_is_read(tail: bytes) -> None:
    data = b'{"traceEvents": [' + b", ".join([json.dumps(GOOD).encode()] * 2)
    trace = read_bytes(data + tail)
    assert _names(trace) == ["good", "good"]
    assert "cut off" in trace.warnings[0]


def test_events_without_a_phase_are_neither_ends_nor_arrows() -> None:
    beginning = {**span("a", 1, 0), "ph": "B"}
    without = {**span("b", 2, 0), "ph": ""}
    trace = read_bytes(document(beginning, without, {**span("", 5, 0), "ph": "E"}))
    assert (trace.ranges.start_ns.tolist(), trace.ranges.end_ns.tolist()) == ([1_000], [5_000])


@pytest.mark.parametrize("text", ["1_0", " 7 ", "\u0667"])
def test_a_number_as_text_is_read_by_one_rule_whatever_stands_beside_it(text: str) -> None:
    odd = kernel("odd", 1, 1, args={"correlation": text})
    for others in ([], [kernel("other", 2, 1, args={"correlation": "x"})]):
        assert read_bytes(document(odd, *others)).ops.correlation[0] == NO_CORRELATION


def test_warnings_come_in_one_order() -> None:
    late, wild = {**GOOD, "ts": "inf"}, {**GOOD, "dur": "inf"}
    one, other = read_bytes(document(GOOD, late, wild)), read_bytes(document(GOOD, wild, late))
    assert one.warnings == other.warnings


def test_values_of_other_types_cost_only_their_event() -> None:
    odd = [{"ph": 3}, {"ph": "X", "cat": ["kernel"], "name": {}}, 17, None, [], "text", {"args": 5, "ph": "X"}]
    trace = read_bytes(json.dumps({"traceEvents": [GOOD, *odd, GOOD]}).encode())
    assert _names(trace) == ["good", "good"]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_trace_or_refused(data: bytes) -> None:
    for content in (data, b'{"traceEvents": [' + data, b'{"traceEvents": [{"ph": "X", "cat": "kernel", ' + data):
        try:
            read_bytes(content)
        except (InputError, MissingError) as error:  # seven bytes make a report that only nsys can read
            assert "\n" not in str(error)


@given(st.data())
@settings(max_examples=200)
def test_a_damaged_trace_is_read_or_refused(data: st.DataObject) -> None:
    text = bytearray(_native({}, {"name": 'x "y"'}, {"occupancy": "inf"}))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(text) - 1))
        piece = data.draw(st.sampled_from([b"", b'"', b"\\", b"{", b"}", b"]", b",", b"\n", b"\x00", b"\xff", b"1e9"]))
        length = data.draw(st.integers(0, 12))
        text[place : place + length] = piece
    try:
        read_bytes(bytes(text))
    except InputError as error:
        assert "\n" not in str(error)


def test_memory_and_time_stay_in_proportion_to_a_hostile_file() -> None:
    hostile = b'{"traceEvents": [' + b'{"ph": "X", "cat": "kernel", "name": "' + b"}, {" * 500_000
    started = time.monotonic()
    with pytest.raises(InputError):
        read_bytes(hostile)
    assert time.monotonic() - started < 60  # a hang, not a speed, is what this would catch


def test_an_error_in_a_reading_process_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(reader.Scanner):
        def scan(self, *_: object) -> None:
            raise InputError("broken on purpose")

    monkeypatch.setattr(reader, "Scanner", Broken)
    with pytest.raises(InputError, match="broken on purpose"):
        read_bytes(document(*[kernel("k", i, 1, 1) for i in range(50)]), EVERYTHING, jobs=3)


WINDOWS = '".\\result\\worker.json"', '"C:\\users\\me"', '"C:\\runs\\"'


@pytest.mark.parametrize("path", [text.replace("\\\\", "\\") for text in WINDOWS])
def test_a_path_that_is_not_escaped_hides_nothing_that_stands_before_it(path: str) -> None:
    devices = '"deviceProperties": [{"id": 0, "name": "NVIDIA H100 80GB HBM3"}]'
    head = f'{{"schemaVersion": 1, {devices}, "cuda_runtime_version": 12090, "traceName": {path}, "traceEvents": [\n'
    trace = read_bytes(head.encode() + json.dumps(GOOD).encode() + b"\n]}")
    assert [(device.id, device.name) for device in trace.devices] == [(0, "NVIDIA H100 80GB HBM3")]
    assert (trace.producer, len(trace.ops)) == ("torch.profiler (CUDA 12.9)", 1)


def test_a_device_whose_own_name_is_not_escaped_is_read() -> None:
    head = b'{"deviceProperties": [{"id": 0, "name": "A\\Model"}], "traceEvents": [\n'
    (device,) = read_bytes(head + json.dumps(GOOD).encode() + b"\n]}").devices
    assert device.name == "A\\Model"


@pytest.mark.parametrize(
    "path", [r"C:\Users\me\trace.json", r"D:\out" + "\\", r"\\server\x", r"D:\\out \"q\" \y"],
    ids=["drive", "folder", "share", "some of it escaped"],
)  # fmt: skip
def test_a_path_behind_the_events_that_nobody_escaped_tears_no_file(path: str) -> None:
    behind = f'"traceName": "{path}", "deviceProperties": [{{"id": 0, "name": "H100"}}]'
    text = document(kernel("k", 1, 2, 1)).removesuffix(b"}") + f", {behind}}}".encode()
    trace = read_bytes(text)
    assert (trace.warnings, trace.torn, [device.name for device in trace.devices]) == ([], False, ["H100"])
    assert len(trace.ops) == len(read_bytes(text[:-3]).ops) == 1
    many = document(*(kernel("k", n, 1, n) for n in range(3))).removesuffix(b"}") + f", {behind}}}".encode()
    assert (read_bytes(many).warnings, len(read_bytes(many).ops), read_bytes(many[:-3]).torn) == ([], 3, True)


@pytest.mark.parametrize("jobs", [1, 2])
def test_damage_is_known_whichever_process_met_it(jobs: int) -> None:
    noise = [kernel(f"{number * 0x9E3779B97F4A7C15 % 2**64:x}", number, 1, number) for number in range(500)]
    trace = read_bytes(gzip.compress(document(*noise))[:-2000], jobs=jobs)
    assert trace.torn
    assert trace.warnings[0].startswith("the file is damaged (it breaks off): read up to its last whole event")

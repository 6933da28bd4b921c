"""Which device and stream an op ran on, by its arguments and by its track."""

from __future__ import annotations

from typing import Any

import pytest
from support.chrome import EVERYTHING, Event, call, document, kernel, launch, operator, read_bytes, span, trace_of

from tracer.charge import overlaps
from tracer.charge.launches import find_launches
from tracer.summarize import summarize
from tracer.trace.columns import NO_STREAM, Trace, Want

H100, MI300 = "NVIDIA H100 80GB HBM3", "AMD Instinct MI300X"


def _rank(rank: int, op_pid: str, host_pid: str, skew_us: float = 0) -> list[Event]:
    """Five steps of one rank, all on device 0, with the same correlations as any other's."""
    events = []
    for number in range(1, 6):
        at = 1000 * number + 7 * rank
        events += [
            span("step[DECODE bs=1]", at, 900) | {"pid": host_pid},
            launch(at + 10, 5, number) | {"pid": host_pid},
            kernel("k", at + 50 - skew_us, 800, number) | {"pid": op_pid},
        ]
    return events


def _processes(trace: Trace) -> list[str]:
    return [trace.threads[trace.calls.thread[call]][0] for call in find_launches(trace).tolist()]


@pytest.mark.parametrize(
    ("ops", "hosts"),
    [
        (("[TP00] 0", "[TP01] 0"), ("[TP00] 830", "[TP01] 831")),
        (("rank0/0", "rank1/0"), ("rank0/77", "rank1/77")),
        (("1000000", "2000000"), ("1000830", "2000831")),
        (("830", "831"), ("830", "831")),
        (("0_rank0", "0_rank1"), ("830_rank0", "831_rank1")),
    ],
    ids=["sglang", "slashes", "offsets", "host tracks", "behind the number"],
)
def test_ranks_that_number_their_devices_alike_have_one_each(ops: tuple[str, str], hosts: tuple[str, str]) -> None:
    trace = trace_of(*_rank(0, ops[0], hosts[0]), *_rank(1, ops[1], hosts[1]))
    assert trace.ops.device.tolist() == [0] * 5 + [1] * 5
    assert _processes(trace) == [hosts[0]] * 5 + [hosts[1]] * 5
    summary = summarize(trace)
    assert summary.device.busy_ns == 2 * 5 * 800_000
    assert [token.ops for token in summary.tokens] == [1] * 10
    assert summary.findings == [] or "same-stream-overlap" not in [one.id for one in summary.findings]


def test_a_rank_whose_clock_is_off_is_never_given_another_ranks_launches() -> None:
    trace = trace_of(*_rank(0, "[TP00] 0", "[TP00] 830"), *_rank(1, "[TP01] 0", "[TP01] 831", skew_us=4000))
    assert _processes(trace) == ["[TP00] 830"] * 5 + ["[TP01] 831"] * 5


def _numbered_apart(rank: int, host_pid: str, by: int) -> list[Event]:
    """A rank whose correlations are another's plus `by`, on the same track of device 0."""
    return [
        event | {"args": event["args"] | {"correlation": event["args"]["correlation"] + by}}
        if "args" in event
        else event
        for event in _rank(rank, "0", host_pid)
    ]


def test_ranks_whose_tracks_are_one_are_told_by_who_launched() -> None:
    trace = trace_of(*_rank(0, "0", "830"), *_numbered_apart(1, "831", 100), deviceProperties=[{"id": 0, "name": H100}])
    assert trace.ops.device.tolist() == [0] * 5 + [1] * 5
    assert _processes(trace) == ["830"] * 5 + ["831"] * 5
    assert [(device.id, device.name) for device in trace.devices] == [(0, H100), (1, H100)]
    assert [token.ops for token in summarize(trace).tokens] == [1] * 10


def test_ranks_in_step_that_number_devices_tracks_and_launches_alike_have_one_each() -> None:
    waits = [call("cudaStreamSynchronize", 7000, 5, n) | {"pid": "831"} for n in range(900, 903)]
    alone = [
        event for n in range(900, 903) for event in (launch(6900 + n, 5, n) | {"pid": "830"}, kernel("k", 7900, 5, n))
    ]
    trace = trace_of(*_rank(0, "0", "830"), *_rank(1, "0", "831"), *waits, *alone)
    assert trace.ops.device.tolist() == [0] * 5 + [1] * 5 + [0] * 3
    assert _processes(trace) == ["830"] * 5 + ["831"] * 5 + ["830"] * 3


def _lagging() -> list[Event]:
    """Two ranks on one device number, stream and track, with one set of numbers.

    The first kernel of rank 0 runs long, and what it asks for meanwhile queues up. Rank 1 calls later, and what it asks
    for runs at once.
    """
    events = []
    for number in range(1, 6):
        at = 20.0 if number == 1 else 920 + 100 * (number - 2)
        events += [launch(20 * number, 5, number) | {"pid": "830"}, launch(300 * number, 5, number) | {"pid": "831"}]
        events += [kernel("k", at, 900 if number == 1 else 10, number), kernel("k", 300 * number + 10, 10, number)]
    return events


def _replays(later_us: float) -> list[Event]:
    """Replays of a graph of three kernels by two ranks, with one set of numbers, the second's so much later."""
    events: list[Event] = []
    for number in range(1, 6):
        for rank in (0, 1):
            at = 1000 * number + later_us * rank
            events.append(call("cudaGraphLaunch", at, 5, number) | {"pid": f"83{rank}"})
            events += [kernel(f"k{node}", at + 10 + 20 * node, 12, number) for node in range(3)]
    return events


def _ran_late(trace: Trace) -> list[str]:
    """Of each op, in the order of the file, whose launch it has; "" without one."""
    calls = find_launches(trace).tolist()
    return [trace.threads[trace.calls.thread[one]][0] if one >= 0 else "" for one in calls]


def test_of_two_ranks_that_number_alike_one_that_lags_is_given_its_own_launches_by_the_order_on_its_stream() -> None:
    trace = trace_of(*_lagging())
    assert _ran_late(trace) == ["830", "831"] * 5
    assert not any("nothing tells whose" in warning for warning in trace.warnings)


def test_replays_of_two_ranks_with_one_number_are_each_ones_own_unless_they_run_into_one_another() -> None:
    apart, mixed = trace_of(*_replays(200)), trace_of(*_replays(5))
    assert _ran_late(apart) == [*["830"] * 3, *["831"] * 3] * 5
    assert _ran_late(mixed) == [""] * 30
    assert any(warning.startswith("30 device ops bear the number of launches") for warning in mixed.warnings)


def test_ranks_in_step_on_devices_of_their_own_are_given_their_own_launches() -> None:
    ranks = [_of_device(rank, _rank(rank, str(rank), f"83{rank}")) for rank in range(3)]
    assert _processes(trace_of(*ranks[0], *ranks[1], *ranks[2])) == ["830"] * 5 + ["831"] * 5 + ["832"] * 5
    assert _processes(trace_of(*ranks[2], *ranks[0], *ranks[1])) == ["832"] * 5 + ["830"] * 5 + ["831"] * 5


def test_one_process_of_two_that_drives_both_devices_keeps_both() -> None:
    first = [launch(100 * n, 5, n) | {"pid": "830"} for n in range(1, 7)]
    ops = [kernel("k", 100 * n + 10, 50, n, device=n % 2) for n in range(1, 7)]
    other = [launch(5000 + n, 5, n) | {"pid": "831"} for n in range(1, 7)]
    assert _processes(trace_of(*first, *ops, *other)) == ["830"] * 6


def test_a_number_that_another_rank_launched_its_own_by_tells_of_no_process() -> None:
    orphans = [kernel("k", 500 + n, 1, n) for n in range(1, 4)]
    theirs = [
        event
        for n in range(1, 4)
        for event in (launch(400 + n, 1, n) | {"pid": "831"}, kernel("l", 450 + n, 1, n, device=1))
    ]
    trace = trace_of(*_numbered_apart(0, "830", 100), *orphans, *theirs)
    assert trace.ops.device.tolist() == [0] * 8 + [1] * 3


def test_a_single_launch_of_another_process_makes_no_device_of_its_own() -> None:
    trace = trace_of(*_rank(0, "0", "830"), launch(9000, 5, 77) | {"pid": "831"}, kernel("k", 9010, 5, 77))
    assert trace.ops.device.tolist() == [0] * 6


def test_several_tracks_of_one_device_in_one_process_are_one_device() -> None:
    events = [launch(1, 1, 1), kernel("a", 5, 10, 1) | {"pid": "GPU 0 compute"}]
    events += [launch(3, 1, 2), kernel("b", 7, 10, 2) | {"pid": "GPU 0 copy"}]
    trace = trace_of(*events)
    assert trace.ops.device.tolist() == [0, 0]
    assert trace.warnings == []


def _of_device(device: int, events: list[Event]) -> list[Event]:
    return [event | {"args": event["args"] | {"device": device}} if "args" in event else event for event in events]


def test_two_devices_of_two_processes_keep_their_numbers() -> None:
    trace = trace_of(*_rank(0, "0", "830"), *_of_device(1, _rank(1, "1", "831")))
    assert trace.ops.device.tolist() == [0] * 5 + [1] * 5
    assert trace.warnings == []


def _without(event: Event, *names: str) -> Event:
    return {**event, "args": {key: value for key, value in event["args"].items() if key not in names}}


def test_a_kernel_on_the_track_of_a_host_thread_takes_no_number_from_it() -> None:
    on_host = _without(kernel("k", 5, 10, 1) | {"pid": 100, "tid": 1}, "device", "stream")
    also = _without(kernel("k", 5, 10, 2) | {"pid": 100, "tid": 1}, "device", "stream")
    trace = trace_of(launch(1, 1, 1), launch(2, 1, 2), on_host, also, deviceProperties=[{"id": 3, "name": H100}])
    assert (trace.ops.device.tolist(), trace.ops.stream.tolist()) == ([3, 3], [NO_STREAM] * 2)
    assert overlaps.measure(trace.ops).ops == 0
    assert any("2 device ops name no device" in warning for warning in trace.warnings)
    assert summarize(trace).trace.devices[0].name == H100


def test_a_kernel_on_a_track_of_its_own_takes_its_numbers_from_it() -> None:
    trace = trace_of(
        launch(1, 1, 1), _without(kernel("k", 5, 10, 1) | {"pid": 3, "tid": "stream 7"}, "device", "stream")
    )
    assert (trace.ops.device.tolist(), trace.ops.stream.tolist()) == ([3], [7])
    assert trace.warnings == []


@pytest.mark.parametrize("as_text", [False, True])
def test_tracks_of_64_bits_stay_apart(as_text: bool) -> None:
    handles = [2**64 - 1, 2**63, 2**63 + 1, 10**18 + 7, 2 * 10**18 + 7, 7]
    spelled: list[Any] = [str(handle) for handle in handles] if as_text else list(handles)
    by_argument = trace_of(*(kernel("k", 5, 10, stream=handle) for handle in spelled))
    by_track = trace_of(*(_without(kernel("k", 5, 10) | {"tid": handle}, "stream") for handle in spelled))
    for trace in (by_argument, by_track):
        assert len(set(trace.ops.stream.tolist())) == len(handles)
        assert trace.ops.stream.tolist()[-1] == 7
        assert overlaps.measure(trace.ops).ops == 0


@pytest.mark.parametrize("device", [-1, 0, 9])
def test_a_device_may_have_any_number(device: int) -> None:
    assert trace_of(kernel("k", 5, 10, device=device)).ops.device.tolist() == [device]


def _used(*devices: int, described: list[tuple[int, str]]) -> list[str]:
    trace = trace_of(
        *(kernel("k", 5, 10, device=device) for device in devices),
        deviceProperties=[{"id": number, "name": name} for number, name in described],
    )
    names = {device.id: device.name for device in trace.devices}
    return [names.get(device, "") for device in devices]


def test_devices_are_described_by_id_else_by_position_else_by_what_all_are() -> None:
    assert _used(1, described=[(0, "a"), (1, "b")]) == ["b"]
    assert _used(2, described=[(0, MI300)]) == [MI300]
    assert _used(2, 3, described=[(0, "a"), (1, "b")]) == ["a", "b"]
    assert _used(9, described=[(number, MI300) for number in range(8)]) == [MI300]


def test_a_device_that_might_be_either_of_two_is_neither() -> None:
    assert _used(9, described=[(0, "a"), (1, "b"), (2, "c")]) == [""]


@pytest.mark.parametrize("args", [{}, {"device": 0}])
def test_a_thread_that_only_ran_operators_is_no_device_and_no_stream_of_one(args: dict[str, int]) -> None:
    names = ("aten::mm", "aten::add")
    ran = [operator(name, 10 * at, 8, tid=1147039) | {"pid": 1147039} for at, name in enumerate(names)]
    kernels = [
        {"ph": "X", "cat": "kernel", "name": name, "pid": 1147039, "tid": 1147039, "ts": 10, "dur": 8, "args": args}
        for name in names
    ]
    data = document(*ran, *kernels, deviceProperties=[{"id": 0, "name": "NVIDIA H100"}])
    for want in (Want.SUMMARY, EVERYTHING):
        trace = read_bytes(data, want)
        assert (trace.ops.device.tolist(), [one.id for one in trace.devices]) == ([0, 0], [0])
        assert set(trace.ops.stream.tolist()) == {NO_STREAM}
        said = ["2 device ops name no device: taken to be of the only one described"]
        assert trace.warnings == ([] if args else said)

"""What `tracer critical-path` says by itself; the path is HolisticTraceAnalysis' own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from support.chrome import call, kernel, launch, operator, span, write

from reports.document import of_critical_path
from reports.parts.critical_path import piece
from reports.render.markdown import render as as_markdown
from reports.render.text import render as as_text
from tracer.cli.critical_path import _check, _in_words, _named_as_packed, _piece, _place
from tracer.document.critical_path import CriticalPath, PathPiece
from tracer.document.errors import InputError, UsageError


def _row(bound_by: str, name: object, kind: str = "critical_path_operator") -> PathPiece:
    return _piece({"bound_by": bound_by, "s_name": name, "type": kind, "duration": 1.0})


def test_gaps_are_called_gaps_and_pieces_of_work_by_their_name() -> None:
    assert piece(_row("gpu_kernel_kernel_overhead", "gemm")) == "gap on the device after gemm"
    assert piece(_row("gpu_kernel_launch_overhead", float("nan"))) == "gap between launch and start of a kernel"
    assert piece(_row("gpu_compute_bound", "gemm")) == "gemm"
    assert piece(_row("", float("nan"), "critical_path_dependency")) == "critical path dependency"


def _trace(path: Path) -> Path:
    work = [launch(1, 1, 1), kernel("k", 3, 1, 1), launch(21, 1, 2), kernel("k", 23, 1, 2)]
    return write(path, span("step#0", 0, 9), span("step#1", 20, 9), span("other", 40, 9), *work)


def test_a_range_that_there_is_not_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    trace = _trace(tmp_path / "a.json")
    _check(trace, "step", 1)
    with pytest.raises(InputError, match="no range of it is called 'stop#0'; name one of its own by --range: 'step#0'"):
        _check(trace, "stop#0", 0)
    with pytest.raises(UsageError, match="--instance 2: .*a.json has 2 ranges 'step', from 0 on"):
        _check(trace, "step", 2)


def test_without_a_range_it_is_a_request_or_the_whole_trace_and_no_option_is_blamed(tmp_path: Path) -> None:
    trace = _trace(tmp_path / "a.json")
    assert _check(trace, None, 0) == ""
    with pytest.raises(
        UsageError, match="--instance 1: .*a.json is one whole; name one of its own by --range: 'step#0'"
    ):
        _check(trace, None, 1)
    work = [launch(1, 1, 1), kernel("k", 3, 1, 1)]
    assert _check(write(tmp_path / "b.json", span("tracer/request#0", 0, 9), *work), None, 0) == "tracer/request"
    bare = write(tmp_path / "c.json", *work)
    assert _check(bare, None, 0) == ""
    with pytest.raises(
        InputError, match="called 'step'; nor has it any other range: take the whole trace by --range ''"
    ):
        _check(bare, "step", 0)


def test_what_threads_launched_that_nobody_watched_has_no_path(tmp_path: Path) -> None:
    """Gaps on the path would be what these threads did."""
    cases = Path(__file__).parents[1] / "data/cases"
    with pytest.raises(InputError, match="a path may lack work: of the threads that launched most of it .*; let torch"):
        _check(cases / "backward_thread_silent.json", None, 0)


def test_no_option_is_blamed_where_there_is_no_device_work(tmp_path: Path) -> None:
    trace = write(tmp_path / "a.json", span("step", 0, 9), operator("aten::mm", 1, 5))
    with pytest.raises(InputError, match="it has no device work, which HolisticTraceAnalysis needs") as error:
        _check(trace, "step", 0)
    assert "--range" not in str(error.value)


def test_a_step_whose_work_was_lost_has_no_path_and_one_whose_work_is_there_has(tmp_path: Path) -> None:
    """HolisticTraceAnalysis would call the first bound by the CPU to 100 %."""
    trace = write(
        tmp_path / "a.json", span("step#0", 0, 9), span("step#1", 20, 9),
        launch(1, 1, 1), launch(3, 1, 2), launch(21, 1, 3), kernel("k", 23, 1, 3),
    )  # fmt: skip
    with pytest.raises(InputError, match="through 'step' cannot be told: 2 launches in it have no device op: 2 of 3"):
        _check(trace, "step", 0)
    _check(trace, "step", 1)
    with pytest.raises(InputError, match="through the whole trace cannot be told: 2 launches"):
        _check(trace, "", 0)


def test_a_range_whose_calls_were_not_recorded_has_no_path(tmp_path: Path) -> None:
    steps = range(1, 10)
    marks = [span(f"tracer/decode#{step}", 20 * step, 18) for step in steps]
    work = [kernel("k", 20 * step + 3, 1, step) for step in steps]
    calls = [launch(20 * step + 1, 1, step) for step in steps]
    _check(write(tmp_path / "a.json", *marks, *work, *calls), "tracer/decode", 0)
    with pytest.raises(InputError, match="a path may lack work: 2 of 9 device ops have no launch record"):
        _check(write(tmp_path / "b.json", *marks, *work, *calls[:2], *calls[4:]), "tracer/decode", 0)


def test_kernels_of_a_replayed_graph_are_not_taken_for_gaps(tmp_path: Path) -> None:
    replay = [kernel("k", ts, 2, 2) for ts in (23, 25, 27)]
    trace = write(
        tmp_path / "a.json", span("step#0", 0, 9), span("step#1", 20, 9),
        launch(1, 1, 1), kernel("k", 3, 1, 1), call("cudaGraphLaunch", 21, 1, 2), *replay,
    )  # fmt: skip
    _check(trace, "step", 0)
    with pytest.raises(InputError, match="1 replay of a graph in it: .*; look at a range without replays, or record"):
        _check(trace, "step", 1)


def test_what_cannot_be_read_or_joined_has_no_path_and_is_not_called_without_work(tmp_path: Path) -> None:
    cases = Path(__file__).parents[1] / "data/cases"
    for name, said in (
        ("onnxruntime", "its work is not read: written by ONNX Runtime"),
        ("xpu_no_device_records", "8 of 8 urEnqueueKernelLaunchWithArgsExp have no device op"),
        ("kernel_before_launch", "back: the device's clock is off"),
        ("hpu_op", "back: none of 3 ops has a launch record"),
    ):
        with pytest.raises(InputError, match=said) as error:
            _check(cases / f"{name}.json", "step", 0)
        assert "no device work" not in str(error.value)
    with pytest.raises(InputError, match="reads Chrome traces of torch.profiler alone"):
        _check(cases.parent / "nsight_h200_gemms.sqlite", "tracer/prefill", 0)


def test_the_range_is_found_among_those_of_the_device_whatever_their_order_in_the_file() -> None:
    """Kineto writes a range of the device beside each of the host's, and neither in the order of time."""
    rows = [("b#1", 3, 50), ("b#0", 4, 11), ("b#0", 3, 10), ("other", 3, 0), ("b#1", 4, 51), ("b#2", 3, 90)]
    symbols = {"b#0": 0, "b#1": 1, "b#2": 2, "user_annotation": 3, "gpu_user_annotation": 4, "other": 5}
    table = pd.DataFrame([(symbols[name], cat, ts) for name, cat, ts in rows], columns=["name", "cat", "ts"])
    trace = SimpleNamespace(
        get_trace=lambda _: table, symbol_table=SimpleNamespace(get_sym_id_map=lambda: symbols)
    )  # fmt: skip
    places = [_place(SimpleNamespace(t=trace), "b#", instance) for instance in range(3)]
    assert places == [2, 0, 4]
    assert _place(SimpleNamespace(t=trace), "", 0) == 0


def test_a_trace_is_handed_over_by_a_name_that_says_how_it_is_packed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for number, (data, name) in enumerate(((b"\x1f\x8b\x08", "trace.json.gz"), (b"{}", "trace.json"))):
        trace = tmp_path / f"{number}.trace"
        trace.write_bytes(data)
        link = _named_as_packed(trace, tmp_path / "there")
        assert (link.name, link.read_bytes()) == (name, data)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TypeError("'NoneType' object is not subscriptable"), "it knows none of the calls"),
        (ValueError("cannot reindex on an axis with duplicate labels"), "give it the trace of one rank"),
        (ValueError("something else"), "ValueError: something else"),
    ],
)
def test_what_holistic_trace_analysis_fails_of_is_said_in_words(error: Exception, said: str) -> None:
    assert said in _in_words(error)


def test_every_renderer_says_what_bounds_the_range_and_cuts_names_not_times() -> None:
    pieces = [
        _row("cpu_bound", "aten::mm"), _row("gpu_compute_bound", "a" * 300),
        _row("gpu_kernel_kernel_overhead", "gemm"), _row("", float("nan"), "critical_path_dependency"),
    ]  # fmt: skip
    blocks = of_critical_path(CriticalPath(pieces=pieces))
    text, markdown = as_text(blocks, width=60), as_markdown(blocks, heading="x")
    for said in (text, markdown):
        assert "gaps between kernels" in said
        assert said.count("1.00 µs") == 3 + 4
        assert "25.0%" in said
        assert "longest on the path, of 4 pieces" in said
    assert max(map(len, text.splitlines())) <= 60

"""Several models at once: whose work is whose, and what each loses by whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import real_traces
from hypothesis import given
from hypothesis import strategies as st
from support.chrome import OTHER, Event, span, trace_of, write
from support.joint import both, model

from tracer.choices import Choices
from tracer.document.summary import Joint, Summary, decode, encode
from tracer.summarize import summarize, summarize_file


def _joint(summary: Summary) -> Joint:
    assert decode(encode(summary)) == summary
    assert summary.joint is not None
    return summary.joint


def _solos(folder: Path, small_every: float = 20) -> Choices:
    small = write(folder / "small.json", *model("small", small_every))
    large = write(folder / "large.json", *model("large", 100, busy=80))
    return Choices(solos={"S": small, "L": large})


def test_a_model_is_the_thread_that_launched_what_its_own_trace_has(tmp_path: Path) -> None:
    found = _joint(summarize(trace_of(*both()), _solos(tmp_path)))
    small, large = found.roles
    assert (small.role, [(one.process, one.thread) for one in small.threads], small.ops) == ("S", [("100", "1")], 10)
    assert (large.role, [(one.process, one.thread) for one in large.threads], large.ops) == ("L", [("100", "2")], 10)
    assert found.one_process


def test_what_is_lost_while_nothing_is_asked_for_is_the_hosts(tmp_path: Path) -> None:
    small, large = _joint(summarize(trace_of(*both()), _solos(tmp_path))).roles
    assert small.alone is not None
    assert (small.alone.wall_ns, small.wall_ns, small.slowdown) == (190_000, 550_000, 550 / 190)
    assert small.lost == {"busy": 0, "host": 9 * 40_000, "sync": 0, "launch": 0, "unknown": 0}
    assert (small.cause, large.cause, large.lost_ns) == ("host", None, 0)


def test_what_kernels_take_longer_is_the_devices(tmp_path: Path) -> None:
    small, _ = _joint(summarize(trace_of(*both(small_every=20, small_busy=15)), _solos(tmp_path))).roles
    # Ten kernels of 5 us more, nine of which fill what was idle: it ends 5 us later.
    assert small.lost == {"busy": 50_000, "host": -45_000, "sync": 0, "launch": 0, "unknown": 0}
    assert (small.lost_ns, small.cause) == (5_000, "device")


def test_models_on_devices_of_their_own_share_the_time_that_passes(tmp_path: Path) -> None:
    """Two devices, each of which one model has: both run at once, and no device's wait counts twice."""
    one, two = (summarize(trace_of(*both(device=device)), _solos(tmp_path)).joint for device in (0, 1))
    assert one is not None and two is not None
    assert one.both_ns > 0
    assert (one.busy_ns, one.both_ns, one.idle_ns) == (two.busy_ns, two.both_ns, two.idle_ns)


def _steps(role: str, every: float, tid: int) -> list[Event]:
    """A prompt's pass and nine steps, each of one kernel."""
    names = [f"{role}/prefill", *[f"{role}/decode#{number}" for number in range(1, 10)]]
    return [span(name, every * place - 1, every - 2, tid) for place, name in enumerate(names)]


def _prompts(tid: int) -> list[Event]:
    return [span("L/prefill", 4, 300, tid), span("L/decode#1", 304, 700, tid)]


def test_tokens_made_while_the_other_processed_its_prompt_are_the_overlap() -> None:
    small, large = _joint(summarize(trace_of(*both(), *_steps("S", 60, 1), *_prompts(OTHER)))).roles
    # The prompt's three kernels end at 7 + 200 + 80; kernels of the small one at 12, 72, 132, 192, 252.
    assert (small.tokens, small.beside_prefill) == (10, {"L": 5})
    assert (large.tokens, large.beside_prefill) == (2, {"S": 0})


@pytest.mark.parametrize("name", ["S/draft#1", "S/decode"])
def test_a_stage_of_any_number_of_tokens_is_not_counted_as_one(name: str) -> None:
    steps = [event | {"name": name} if event["name"] == "S/decode#1" else event for event in _steps("S", 60, 1)]
    small, large = _joint(summarize(trace_of(*both(), *steps, *_prompts(OTHER)))).roles
    assert (small.tokens, small.beside_prefill) == (None, {})
    assert large.tokens == 2


def test_where_the_profiler_saw_no_stage_a_trace_of_the_model_alone_tells_its_tokens(tmp_path: Path) -> None:
    small = write(tmp_path / "small.json", *model("small", 20), *_steps("S", 20, 1))
    large = write(tmp_path / "large.json", *model("large", 100, busy=80), *_prompts(1))
    choices = Choices(solos={"S": small, "L": large})
    told = _joint(summarize(trace_of(*both()), choices)).roles[0]
    assert (told.tokens, told.beside_prefill) == (10, {"L": 5})
    other = trace_of(*both(), *model("small", 60, count=1, at=900, first=500))
    assert _joint(summarize(other, choices)).roles[0].tokens is None  # it did more than alone


def test_two_real_models_in_two_threads_overlap_by_one_token() -> None:
    paths = {name: real_traces(f"two_models_{name}.json.gz") for name in ("both", "solo_a", "solo_b")}
    if not all(paths.values()):
        pytest.skip("TRACER_MORE_TRACES has no two_models_*.json.gz")
    choices = Choices(solos={"A": paths["solo_a"][0], "B": paths["solo_b"][0]})
    one, other = _joint(summarize_file(paths["both"][0], choices)).roles
    assert (one.tokens, one.beside_prefill) == (12, {"B": 1})
    assert (other.tokens, other.beside_prefill) == (4, {})


def test_time_in_which_both_ran_is_counted_once_as_busy(tmp_path: Path) -> None:
    found = _joint(summarize(trace_of(*both()), _solos(tmp_path)))
    whole = sum(role.busy_ns for role in found.roles)
    assert found.busy_ns == whole - found.both_ns
    assert found.busy_ns + found.idle_ns == 985_000


@given(st.integers(15, 200), st.integers(90, 200), st.integers(1, 14))
def test_what_is_lost_adds_up_to_the_wall_time_beyond_that_alone(small: int, large: int, busy: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        found = _joint(summarize(trace_of(*both(small, large, busy)), _solos(Path(folder))))
    for role in found.roles:
        assert role.alone is not None and role.lost is not None
        assert sum(role.lost.values()) == role.lost_ns == role.wall_ns - role.alone.wall_ns
        assert role.wall_ns == role.busy_ns + role.idle.total_ns
    assert found.both_ns <= min(role.busy_ns for role in found.roles)


def test_roles_of_ranges_on_several_threads_need_no_other_trace() -> None:
    ranges = [span("tracer/small/decode#1", 0, 1000, tid=1), span("tracer/large/prefill", 0, 1000, tid=2)]
    found = _joint(summarize(trace_of(*ranges, *both())))
    assert [(role.role, role.ops, role.slowdown) for role in found.roles] == [("small", 10, None), ("large", 10, None)]


def test_models_that_take_turns_on_one_thread_are_not_at_once() -> None:
    ranges = [span("tracer/small/decode#1", 0, 100), span("tracer/large/prefill", 100, 100)]
    assert summarize(trace_of(*ranges, *model("k", 20))).joint is None


def test_without_roles_and_traces_nobody_tells_whose_work_is_whose() -> None:
    assert summarize(trace_of(*both())).joint is None


def test_a_model_that_did_not_run_there_is_named(tmp_path: Path) -> None:
    other = write(tmp_path / "other.json", *model("another", 20))
    summary = summarize(trace_of(*both()), Choices(solos={"O": other, **_solos(tmp_path).solos}))
    assert [role.role for role in _joint(summary).roles] == ["S", "L"]
    assert "what O takes beside the others" in [one.what for one in summary.abstained]


def test_other_work_than_alone_is_compared_with_nothing(tmp_path: Path) -> None:
    longer = write(tmp_path / "longer.json", *model("small", 20, count=11))
    choices = Choices(solos={**_solos(tmp_path).solos, "S": longer})
    small = _joint(summarize(trace_of(*both()), choices)).roles[0]
    assert (small.role, small.slowdown, small.lost, small.cause) == ("S", None, None, None)


def test_two_threads_of_one_process_slow_each_other_by_their_host() -> None:
    paths = {path.name.partition(".")[0]: path for path in real_traces("two_models_*.json.gz")}
    if not paths:
        pytest.skip("no two_models_* among TRACER_MORE_TRACES")
    solos = {"A": paths["two_models_solo_a"], "B": paths["two_models_solo_b"]}
    summary = summarize_file(paths["two_models_both"], Choices(solos=solos))
    found = _joint(summary)
    draft, target = found.roles
    assert (draft.ops, target.ops, found.one_process) == (3216, 1240, True)
    assert (draft.cause, target.cause) == ("host", "host")
    assert 640e6 < draft.wall_ns < 660e6
    assert draft.device_time_ns < 1.2 * (draft.alone.device_time_ns if draft.alone else 0)
    assert found.both_ns < 0.02 * found.busy_ns
    assert "models-share-a-host" in [finding.id for finding in summary.findings]


def test_of_models_that_lack_ops_nothing_is_laid_beside_each_other_and_it_is_said(tmp_path: Path) -> None:
    asked = [event for event in model("small", 20) if event["cat"] == "cuda_runtime"]
    small = write(tmp_path / "small.json", *[*model("small", 20)[:18], *asked[9:]])
    large = write(tmp_path / "large.json", *model("large", 100, busy=80))
    summary = summarize(trace_of(*both()), Choices(solos={"S": small, "L": large}))
    assert summary.joint is None
    (said,) = [one for one in summary.abstained if one.what == "what S takes beside the others"]
    assert said.reason.endswith("1 of 10 cudaLaunchKernel has no device op: what was launched there was not recorded")
    assert summarize(trace_of(*both()), _solos(tmp_path)).joint is not None
    lost = summarize(trace_of(*both()[:-1]), _solos(tmp_path))
    assert lost.joint is None
    beside = {one.what for one in lost.abstained if "no device op" in one.reason}
    assert {"what S takes beside the others", "what L takes beside the others"} <= beside

"""The energy pass over a model that only waits, by a counter that was planted."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from model.registry import ModelOptions
from model.staged import RequestShape
from tracer.document.recorded_energy import DeviceState, RunEnergy
from tracer.recording.energy import loops
from tracer.recording.energy.loops import Patience
from tracer.recording.energy.meter import MeterError, NoMeter
from tracer.recording.options import RecordOptions
from tracer.recording.passes import energy as passes
from tracer.recording.passes.energy import STEPS, States, energy_pass
from tracer.recording.window import DecodeWindow, Schedule

MS = 1_000_000
PATIENCE = Patience(150 * MS, 600 * MS)


class _Meter:
    """A device that draws 100 W, and 300 W while something of it is busy; its counter changes every 4 ms."""

    source = "planted"

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.closed = False
        self.fails: Exception | None = None
        self._drawn: list[tuple[int, int]] = []

    def busy(self, start_ns: int, end_ns: int) -> None:
        self._drawn.append((start_ns, end_ns))

    def total_uj(self) -> int:
        if self.fails is not None:
            raise self.fails
        now = time.perf_counter_ns() // (4 * MS) * 4 * MS
        return (now * 100 + 200 * sum(max(0, min(end, now) - start) for start, end in self._drawn)) // 1000

    def state(self, during: str, request: int) -> DeviceState:
        return DeviceState(during=during, request=request, sm_mhz=1000)

    def close(self) -> None:
        self.closed = True


class _Model:
    """Stages of so many milliseconds; the steps alone keep the device busy."""

    device = torch.device("cpu")

    def __init__(self, meter: _Meter, steps: int = 6) -> None:
        self._meter, self._steps, self.loadless = meter, steps, False

    def load(self, number: int = 0) -> int:
        time.sleep(0.002)
        return number

    def prepare(self, raw: int) -> int:
        time.sleep(0.003)
        return raw

    def encode_vision(self, _: int) -> str:
        time.sleep(0.005)
        return "features"

    def describe(self) -> dict[str, Any]:
        return {"missing_stages": {"load": "why"} if self.loadless else {}}

    def shape(self, _: int) -> RequestShape:
        return RequestShape(batch_size=2, frames=1, visual_tokens=1, prompt_tokens=1)

    def answer(self, _: int, __: str | None, *, max_new_tokens: int, next_step: Callable[[], None]) -> torch.Tensor:
        time.sleep(0.004)
        for _step in range(min(self._steps, max_new_tokens - 1)):
            next_step()
            start = time.perf_counter_ns()
            self._meter.busy(start, start + 10 * MS)
            while time.perf_counter_ns() < start + 10 * MS:
                time.sleep(0.001)
        return torch.zeros(2, 1)


def _options(tokens: int = 7) -> RecordOptions:
    return RecordOptions(
        model="",
        model_options=ModelOptions(size="", device="cpu", dtype=""),
        output=Path("unused.json"),
        requests=1,
        max_new_tokens=tokens,
        schedule=Schedule(0, 0, 1, 1),
        window=DecodeWindow(1, 2),
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "SETTLING_NS", 20 * MS)


@pytest.mark.usefixtures("quick")
def test_stages_that_draw_nothing_beyond_idle_and_steps_that_do_are_told_apart() -> None:
    meter, told = _Meter(), []
    model: Any = _Model(meter)
    found = energy_pass(model, meter, _options(), lambda: told.append(1), PATIENCE)
    assert [one.stage for one in found.stages] == ["load", "preprocess", "vision", "prefill", "decode", "request"]
    assert len(told) == STEPS
    assert found.idle_mw == pytest.approx(100_000, rel=0.15)
    watts = {one.stage: _bounds_w(one) for one in found.stages}
    for stage in ("load", "preprocess", "vision", "prefill"):
        assert watts[stage][0] <= 101 and watts[stage][1] >= 99
    # A machine that does not wake in time makes a step longer than the 10 ms in which it draws more.
    assert watts["decode"][1] > 150
    assert watts["decode"][0] <= 300
    decode = next(one for one in found.stages if one.stage == "decode")
    assert (decode.runs, found.tokens, found.source) == (6, 12, "planted")
    assert found.states[0].during == "idle"
    assert found.update_ns > 0


def _bounds_w(one: RunEnergy) -> tuple[float, float]:
    assert one.low_uj is not None and one.high_uj is not None
    return one.low_uj / one.run_ns * 1000, one.high_uj / one.run_ns * 1000


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("error", "reason"),
    [(MeterError("lost"), "lost"), (AttributeError("no such call"), "AttributeError: no such call")],
    ids=["as it says", "as its library fails"],
)
def test_a_counter_that_is_lost_leaves_reasons_and_no_figures(error: Exception, reason: str) -> None:
    meter = _Meter()
    meter.fails = error
    model: Any = _Model(meter, steps=1)
    found = energy_pass(model, meter, _options(2), lambda: None, Patience(30 * MS, 30 * MS))
    assert {one.run_uj for one in found.stages} == {None}
    assert {one.reason for one in found.stages} == {reason}
    assert found.idle_mw is None


def test_an_answer_of_one_token_has_no_steps_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    nothing = RunEnergy(stage="", run_uj=None, low_uj=None, high_uj=None, run_ns=0, repeats=0)
    monkeypatch.setattr(passes, "waited", lambda *_: None)
    monkeypatch.setattr(passes, "repeated", lambda stage, *_: made.append(stage) or nothing)
    model: Any = _Model(_Meter())
    found = energy_pass(model, _Meter(), _options(1), lambda: None)
    assert made == ["load", "preprocess", "vision", "prefill", "request"]
    assert found.tokens == 0
    model.loadless = True
    made.clear()
    energy_pass(model, _Meter(), _options(1), lambda: None)
    assert made == ["preprocess", "vision", "prefill", "request"]


def test_clocks_are_read_between_requests_only_where_energy_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = _Meter()
    states = States(meter)
    advance = states.telling("clean", lambda: None)
    advance()
    advance()
    states.telling("profiled", lambda: None)()
    assert [(one.during, one.request) for one in states.states] == [("clean", 0), ("clean", 1), ("profiled", 0)]
    for found in (None, NoMeter("why", "do")):
        nobody, called = States(found), list[int]()
        nobody.telling("clean", lambda called=called: called.append(1))()
        assert (nobody.states, called) == ([], [1])
    assert States(None).recorded(None) is None
    refused = States(NoMeter("why", "do")).recorded(None)
    assert refused is not None
    assert (refused.source, refused.reason, refused.next_step) == ("", "why", "do")
    monkeypatch.setattr(passes, "find_meter", lambda _: meter)
    with passes.states_of(torch.device("cpu"), asked=True) as opened:
        assert opened.meter is meter
    assert meter.closed
    with passes.states_of(torch.device("cpu"), asked=False) as opened:
        assert opened.meter is None
    with passes.states_of(torch.device("cpu"), asked=True, alone=False) as opened:
        assert opened.found is passes.TOGETHER  # loops that end when they are good enough would not end together

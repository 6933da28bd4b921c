from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chrome import Event, kernel, launch, span, trace_of

from tracer.charge.stages.find import find_stages
from tracer.charge.steady import HOLDING, _longest, steady_part
from tracer.document.errors import InputError
from tracer.document.summary import SteadyPart
from tracer.summarize import Choices, summarize
from tracer.trace.columns import Trace

STEADY = Choices(steady=True)


def _serve(batches: list[int], form: str = "step[DECODE bs={}]") -> list[Event]:
    """A decode step of 100 us for each batch, with one kernel of so many microseconds, run while the step is open."""
    events: list[Event] = []
    for number, batch in enumerate(batches, start=1):
        at = 100.0 * number
        events += [span(form.format(batch), at, 90), launch(at + 1, 1, number), kernel("k", at + 5, batch, number)]
    return events


def _part(trace: Trace) -> SteadyPart:
    return steady_part(trace, find_stages(trace))[1]


def test_ramp_up_and_ramp_down_are_left_out_and_counted() -> None:
    trace = trace_of(*_serve([1, 4, 8, *[16] * 20, 8, 4]))
    part = _part(trace)
    assert (part.batch, part.steps, part.before, part.after) == (16, 20, 3, 2)
    assert (part.ops_left_out, part.time_left_out_ns) == (5, 25_000)
    summary = summarize(trace, STEADY)
    (decode,) = summary.stages
    assert (decode.calls, decode.ops, decode.device_time_ns) == (20, 20, 320_000)
    assert summary.serving is not None
    assert summary.serving.steady == part
    assert summary.device.time_ns == 320_000
    assert summary.trace.choices == ["the steady part alone: ramp-up and ramp-down are left out"]


def test_without_the_option_every_step_counts() -> None:
    summary = summarize(trace_of(*_serve([1, 4, 8, *[16] * 20, 8, 4])))
    assert summary.stages[0].calls == 25
    assert summary.serving is not None
    assert summary.serving.steady is None


def test_a_step_that_holds_fewer_in_between_ends_nothing() -> None:
    part = _part(trace_of(*_serve([2, *[20] * 9, 3, *[21] * 9, 2])))
    assert (part.batch, part.steps, part.before, part.after) == (21, 19, 1, 1)  # of equally common ones the largest


def test_prompts_in_between_are_kept_and_count_for_neither() -> None:
    events = _serve([1, *[16] * 12, 1])
    events += [span("step[EXTEND bs=1 toks=99]", 695, 3), launch(696, 1, 99), kernel("prompt", 698, 1, 99)]
    summary = summarize(trace_of(*events), STEADY)
    assert [(stage.stage, stage.calls) for stage in summary.stages] == [("prefill", 1), ("decode", 12)]


def test_what_the_steady_steps_asked_for_is_kept_however_late_it_ran() -> None:
    events = _serve([1, *[16] * 12, 1])
    trace = trace_of(*[{**one, "ts": one["ts"] + 5000} if one["cat"] == "kernel" else one for one in events])
    assert summarize(trace, STEADY).device.ops == 12


def test_vllms_labels_tell_as_well() -> None:
    assert _part(trace_of(*_serve([1, *[16] * 12], "execute_context_0(0)_generation_{0}({0})"))).steps == 12


@pytest.mark.parametrize(
    ("batches", "reason"),
    [
        ([*range(1, 40)], "no steady part"),  # ever more
        ([16] * 7, "no steady part"),  # too few
        ([1, 16, 4, 9] * 8, "no steady part"),  # never twice the same
    ],
)
def test_without_a_steady_part_nothing_is_said(batches: list[int], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        _part(trace_of(*_serve(batches)))


@pytest.mark.parametrize(("other", "refused"), [(8, True), (15, False)])
def test_ranks_in_one_file_that_hold_different_batches_have_no_one_steady_part(other: int, refused: bool) -> None:
    ranks = _serve([1, *[16] * 12])
    ranks += [{**one, "pid": 200, "ts": one["ts"] + 3} for one in _serve([1, *[other] * 12]) if one["cat"] != "kernel"]
    if refused:
        with pytest.raises(InputError, match="ranks in it hold different batches \\(8 to 16 sequences\\)"):
            _part(trace_of(*ranks))
    else:
        assert _part(trace_of(*ranks)).steps == 24


@pytest.mark.parametrize("name", ["tracer/decode#1", "forward"])
def test_ranges_that_say_nothing_of_a_batch_have_no_steady_part(name: str) -> None:
    with pytest.raises(InputError, match="nothing says how many sequences"):
        summarize(trace_of(span(name, 0, 9), launch(1, 1, 1), kernel("k", 2, 4, 1)), STEADY)


def test_steps_of_which_none_decodes_have_no_steady_part() -> None:
    with pytest.raises(InputError, match="none of its steps decodes"):
        _part(trace_of(*_serve([1] * 20, "execute_context_{0}(9)_generation_0(0)")))


@given(st.lists(st.booleans(), max_size=30))
def test_the_longest_stretch_is_what_looking_at_each_finds(holds: list[bool]) -> None:
    best = 0
    for first in range(len(holds)):
        for last in range(first + 1, len(holds) + 1):
            part = holds[first:last]
            if part[0] and part[-1] and sum(part) >= HOLDING * (len(part) - sum(part)):
                best = max(best, len(part))
    first, last = _longest(np.array(holds, dtype=np.bool_))
    assert last - first == best
    part = holds[first:last]
    assert not part or (part[0] and part[-1] and sum(part) >= HOLDING * (len(part) - sum(part)))

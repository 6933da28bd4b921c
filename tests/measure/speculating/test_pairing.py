"""Which draft is checked by which pass: marks of one's own, and the labels of engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.chrome import kernel, launch, span, trace_of
from support.rounds import rounds

from tracer.document.summary import Speculation, Summary
from tracer.summarize import summarize

if TYPE_CHECKING:
    from support.chrome import Event

SAID = "tracer/result:drafted=2,accepted=1"
PROMPT, CHECK, BOTH = (
    f"execute_context_{one}_generation_{two}" for one, two in (("1(64)", "0(0)"), ("0(0)", "1(4)"), ("1(64)", "1(4)"))
)


def _stages(*stages: tuple[str, float, float], thread: int = 100, first: int = 1) -> list[Event]:
    """Ranges of one kernel each, which run as long as their range."""
    events = []
    for number, (name, at, length) in enumerate(stages, start=first):
        events += [span(name, at, length, thread), launch(at + 0.25, 0.25, number, thread)]
        events.append(kernel("k", at + 0.5, length - 0.5, number, stream=thread))
        if "verify" in name:
            events.append(span(SAID, at + 1, 0, thread))
    return events


def _summary(*events: Event) -> Summary:
    return summarize(trace_of(*events))


def _told(*events: Event) -> Speculation:
    found = _summary(*events).speculation
    assert found is not None
    return found


@pytest.mark.parametrize("numbers", [("#1", "#2"), ("", "")])
def test_threads_that_speculate_at_once_check_what_each_has_drafted(numbers: tuple[str, str]) -> None:
    def thread(offset: float, *, of: int) -> list[Event]:
        parts = [
            (f"tracer/{stage}{number}", offset + 100 * k + at, 10)
            for k, number in enumerate(numbers)
            for stage, at in (("draft", 0), ("verify", 40))
        ]
        return _stages(*parts, thread=of, first=of)

    found = _told(*thread(0, of=100), *thread(15, of=200))
    assert [(one.drafted, one.draft_ns is not None) for one in found.each] == [(2, True)] * 4
    assert found.draft_ns == 40_000 - 500  # the trace begins with the first kernel


def test_numbers_that_begin_anew_without_a_request_are_of_the_rounds_that_follow() -> None:
    parts = [
        (f"tracer/{stage}#{number}", 200 * answer + 80 * number + at, length)
        for answer in range(2)
        for number in (1, 2)
        for stage, at, length in (("draft", 0, 10 + answer), ("verify", 30, 20))
    ]
    # What waits in front of a draft is charged to it as well: what the device does is the draft's alone.
    found = _told(*_stages(*parts))
    assert found.rounds == 4
    assert all(one.draft_ns for one in found.each)


def test_a_check_whose_draft_no_range_shows_was_not_drafted_in_no_time() -> None:
    events = rounds([(2, 1)] * 4)
    unmarked = _summary(*[event for event in events if not event["name"].startswith("tracer/draft")])
    found = unmarked.speculation
    assert found is not None and (found.accepted_tokens, found.target_step_ns) == (4, 30_000)
    assert {found.draft_ns, found.speedup, found.break_even_acceptance, found.best_drafted} == {None}
    said = next(one for one in unmarked.abstained if one.what == "what drafting takes")
    assert 'tracer.stage("draft"' in said.next_step
    assert not {one.id for one in unmarked.findings} & {"speculation-loses", "verification-dominates"}


def test_of_rounds_the_one_whose_draft_was_before_the_trace_is_left_out_and_one_that_drafts_nothing_is_not() -> None:
    whole = rounds([(2, 1)] * 4)
    found = _told(*[event for event in whole if event["name"] != "tracer/draft#1"])
    assert (found.timed_rounds, found.draft_ns, found.speedup) == (3, 60_000, _told(*whole).speedup)
    none = [event for event in rounds([(0, 0), (2, 1), (2, 1)]) if event["name"] != "tracer/draft#1"]
    assert _told(*none).timed_rounds == 3


def _steps(*labels: str, drafts: bool = True) -> list[Event]:
    """Steps of vLLM; each has drafted for the next when it is over, a microsecond longer from step to step."""
    events, number = [], 0
    for place, name in enumerate(labels):
        at = 200.0 * place
        events += [span(name, at, 100), launch(at + 1, 1, number + 1), kernel("k", at + 10, 90, number + 1)]
        if drafts:
            events += [span("gpu_model_runner: draft", at + 140, 20), launch(at + 141, 1, number + 2)]
            events.append(kernel("d", at + 150, 10 + place, number + 2))
        number += 2
    return events


def test_what_vllm_drafts_at_the_end_of_a_step_is_checked_by_the_next() -> None:
    found = _told(*_steps(PROMPT, CHECK, CHECK))
    # 50 microseconds between the step's kernel and the draft's.
    assert [(one.drafted, one.draft_ns) for one in found.each] == [(3, 60_000), (3, 61_000)]


def test_a_step_that_takes_a_prompt_too_checks_what_was_drafted_before_it_and_its_time_is_no_checks() -> None:
    found = _told(*_steps(PROMPT, CHECK, BOTH, CHECK))
    assert [(one.prompt, one.draft_ns) for one in found.each] == [(False, 60_000), (True, 61_000), (False, 62_000)]
    assert (found.timed_rounds, found.draft_ns) == (2, 122_000)


def test_a_step_that_computes_several_tokens_of_a_sequence_checks_a_draft_that_nobody_names() -> None:
    summary = _summary(*_steps(PROMPT, CHECK, CHECK, drafts=False))
    found = summary.speculation
    assert found is not None
    assert (found.rounds, found.drafted_tokens, found.draft_ns, found.timed_rounds) == (2, 6, None, 0)
    said = next(one for one in summary.abstained if one.what == "what drafting takes")
    assert "VLLM_CUSTOM_SCOPES" in said.next_step
    plain = "execute_context_0(0)_generation_4(4)"
    assert _summary(*_steps(plain, plain, drafts=False)).speculation is None

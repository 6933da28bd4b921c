from __future__ import annotations

import pytest
from support.held import GB, KV, memory, recorded, stage_bytes

from tracer.document.manifest import Shape
from tracer.document.recorded_memory import RecordedMemory, RequestMemory, StepBytes
from tracer.document.summary import Finding, Footprint, Summary
from tracer.findings.memory_headroom import FINDING

ID = FINDING.id


def _found(summary: Summary) -> Finding | None:
    return next((one for one in summary.findings if one.id == ID), None)


def test_the_batch_and_the_context_that_would_fit() -> None:
    """Of 79 GB a fifth is wasted as here: 63.2, less 16 at the peak, less a twentieth: 44.8; a sequence takes 2."""
    finding = _found(recorded(memory()))
    assert finding is not None
    assert (finding.evidence["batch"], finding.evidence["sequence_bytes"]) == (23, 2 * GB)
    assert finding.evidence["more_tokens"] == pytest.approx(44.84 * GB / KV, abs=1)
    assert "a batch of 23 instead of 1, or 89,680 more tokens of context would fit" in finding.message


@pytest.mark.parametrize(("device_gb", "raised"), [(23, False), (24, True)])
def test_twice_the_batch_is_the_threshold(device_gb: int, raised: bool) -> None:
    """2 GB free: (22 / 1.25 - 16) * 0.95 is 1.52, (23 / 1.25 - 16) * 0.95 is 2.28."""
    assert (_found(recorded(memory(), device_bytes=device_gb * GB)) is not None) == raised


def test_a_cache_that_was_there_before_is_a_part_of_each_sequence() -> None:
    """582 + 64 + 3 tokens of 500 KB are 0.32 GB besides the 2 that a request needs."""
    finding = _found(recorded(memory(kv_ahead=True)))
    assert finding is not None
    assert finding.evidence["sequence_bytes"] == 2 * GB + 649 * KV


@pytest.mark.parametrize(
    ("summary", "reason"),
    [
        (recorded(memory(), device_bytes=None), "does not say how much memory its device has"),
        (recorded(memory(outside_bytes=None)), "does not say what of its device's memory others use"),
        (recorded(memory(kv_ahead=True, kv_token_bytes=None)), "nothing says what of it a sequence takes"),
    ],
    ids=["the device's size", "what others use", "a token of a cache that was there before"],
)
def test_without_what_it_rests_on_it_abstains(summary: Summary, reason: str) -> None:
    assert _found(summary) is None
    (unanswered,) = [one for one in summary.abstained if ID in one.what]
    assert reason in unanswered.reason


@pytest.mark.parametrize(("grown", "raised"), [(-4, False), (16, False), (1000, True)])
def test_a_cache_that_steps_do_not_make_grow_was_there_before_whoever_made_it(grown: int, raised: bool) -> None:
    """A script's, of which no configuration says anything: its ids alone grow."""
    steps = [StepBytes(index=1, requested_bytes=9), StepBytes(index=2, requested_bytes=9 + grown)]
    requests = [RequestMemory(stages=[stage_bytes("prefill", 14 * GB, 16 * GB, 14 * GB)], steps=steps)]
    summary = recorded(memory(requests=requests, kv_token_bytes=None))
    assert (_found(summary) is not None) == raised
    assert bool([one for one in summary.abstained if ID in one.what]) != raised


def test_of_code_that_does_not_say_its_batch_no_other_batch_is_named() -> None:
    shape = Shape(batch_size=1, frames=0, visual_tokens=0, prompt_tokens=0, new_tokens=3)
    summary = recorded(memory(), shape=shape)
    assert _found(summary) is None
    assert isinstance(summary.footprint, Footprint)
    assert summary.footprint.sequences is summary.footprint.kv_token_bytes is None


@pytest.mark.parametrize(
    "held",
    [
        None,
        RecordedMemory(requests=[RequestMemory(stages=[stage_bytes("vision", 1, None, 1, None)])]),
        memory(requests=[RequestMemory(stages=[stage_bytes("vision", 5, 5, 5)])]),
    ],
)
def test_without_counters_or_peaks_or_needs_there_is_nothing_to_say(held: RecordedMemory | None) -> None:
    summary = recorded(held)
    assert _found(summary) is None
    assert not [one for one in summary.abstained if ID in one.what]


def test_without_a_known_cache_no_context_is_named() -> None:
    requests = [RequestMemory(stages=[stage_bytes("prefill", 14 * GB, 16 * GB, 14 * GB)])]
    finding = _found(recorded(memory(requests=requests, kv_token_bytes=None)))
    assert finding is not None
    assert finding.evidence["more_tokens"] is None
    assert "context" not in finding.message

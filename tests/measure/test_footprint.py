"""What a recording holds of its device's memory, in the document and in the report."""

from __future__ import annotations

import pytest
from msgspec import UNSET, structs
from support.chrome import trace_of
from support.held import EVENTS, GB, KV, memory, recorded, stage_bytes
from support.manifests import as_metadata, latencies, manifest

from reports.document import of_summary
from reports.page.held import memory_and_energy
from reports.page.shown import Shown
from reports.render.text import render
from tracer.document.recorded_memory import RecordedMemory, RequestMemory, StepBytes
from tracer.document.summary import Footprint, StageMemory, Summary
from tracer.document.summary import decode as decode_summary
from tracer.document.summary import encode as encode_summary
from tracer.perfetto.tracks import tracks
from tracer.summarize import Choices, charge, summarize_charged


def _footprint(summary: Summary) -> Footprint:
    assert isinstance(summary.footprint, Footprint)
    return summary.footprint


def _text(summary: Summary) -> str:
    return " ".join(render(of_summary(summary), width=200).split())


def test_stages_have_their_memory_and_the_whole_is_taken_apart() -> None:
    summary = recorded(memory())
    assert decode_summary(encode_summary(summary)) == summary
    found = _footprint(summary)
    stages = {one.stage: one.memory for one in summary.stages if isinstance(one.memory, StageMemory)}
    assert (stages["prefill"].start_bytes, stages["prefill"].peak_bytes, stages["prefill"].end_bytes) == (
        14 * GB, 16 * GB, 15 * GB,
    )  # fmt: skip
    assert {(one.source, one.device) for one in stages.values()} == {("clean", None)}  # which one, counters don't tell
    assert (found.before_bytes, found.weight_bytes, found.device_bytes) == (14 * GB, 13 * GB, 80 * GB)
    assert (found.kv_token_bytes, found.kv_token_expected_bytes) == (KV, KV)
    assert found.highest is not None
    assert (found.highest.stage, found.highest.needs_bytes, found.reserved_bytes) == ("prefill", 2 * GB, 20 * GB)
    text = _text(summary)
    assert "at most 16.0 GB of the device's 80.0 GB allocated, in prefill · 20.0 GB reserved, 20.0% of it never" in text
    assert (
        "before a request 14.0 GB, of which weights 13.0 GB · grows by 500 KB a token of a sequence, 500 KB by" in text
    )
    assert "prefill 14.0 GB 16.0 GB 15.0 GB 2.00 GB 20.0 GB 5.00 GB" in text


def test_growth_is_of_one_sequence_and_a_growth_beyond_the_cache_is_said() -> None:
    steps = [StepBytes(index=2, requested_bytes=1000), StepBytes(index=4, requested_bytes=1000 + 4 * KV)]
    request = RequestMemory(stages=[stage_bytes("decode", 1, 2, 1)], steps=steps)
    shape = structs.replace(manifest([latencies()]).shape, batch_size=2)
    found = _footprint(recorded(memory(requests=[request]), shape=shape))
    assert (found.kv_token_bytes, found.sequences) == (KV, 2)
    alone = recorded(memory(requests=[request]))
    assert "(× 2.00)" in _text(alone)
    assert "(×" not in _text(recorded(memory()))


def test_a_cache_that_is_allocated_ahead_grows_by_nothing_and_is_said_to_be() -> None:
    assert "the cache is allocated ahead (500 KB a token)" in _text(recorded(memory(kv_ahead=True)))


def test_a_peak_that_nothing_tells_is_none_and_no_stage_has_it() -> None:
    request = RequestMemory(stages=[stage_bytes("vision", 1, None, 1, None), stage_bytes("prefill", 1, 9, 1)])
    summary = recorded(memory(requests=[request]))
    assert [isinstance(one.memory, StageMemory) for one in summary.stages] == [False, True, False]
    assert "a script's counters are not reset" in _text(summary)


def test_of_several_samples_each_stage_has_its_highest_peak() -> None:
    requests = [
        RequestMemory(stages=[stage_bytes("vision", 1, 50, 1), stage_bytes("prefill", 1, 60, 1)]),
        RequestMemory(stages=[stage_bytes("vision", 1, 70, 1), stage_bytes("prefill", 1, 55, 1)]),
    ]
    found = _footprint(recorded(memory(requests=requests)))
    assert [one.peak_bytes for one in found.stages] == [70, 60]


def test_a_request_without_stages_beside_one_whose_stages_hold_nothing_is_passed_over() -> None:
    requests = [RequestMemory(stages=[]), RequestMemory(stages=[stage_bytes("vision", 0, 0, 0)])]
    assert _footprint(recorded(memory(requests=requests))).before_bytes == 0


@pytest.mark.parametrize(
    "held", [None, RecordedMemory(requests=[]), RecordedMemory(requests=[RequestMemory(stages=[])])]
)
def test_without_counters_there_is_nothing_and_no_noise(held: RecordedMemory | None) -> None:
    summary = recorded(held)
    assert summary.footprint is UNSET
    assert "memory" not in _text(summary)
    assert memory_and_energy(Shown(0, summary, None)) == ""


def test_a_page_has_a_bar_a_stage() -> None:
    drawn = memory_and_energy(Shown(0, recorded(memory()), None))
    assert "Memory by stage, of the device&#x27;s 80.0 GB" in drawn or "of the device's 80.0 GB" in drawn
    assert drawn.count('class="barrow"') == 3
    assert 'x="17.500%" width="2.500%"' in drawn  # prefill: 14 of 80 GB before, 2 more


def test_perfetto_has_the_peak_of_each_stage_where_no_allocation_was_recorded() -> None:
    trace = trace_of(*EVENTS, tracer=as_metadata([latencies()], memory=memory()))
    charged = charge(trace, Choices())
    summary = summarize_charged(charged, Choices())
    told = [text for text in tracks(summary, charged) if "memory peak by stage" in text]
    assert [size in text for size, text in zip(("15000000000", "16000000000", "15500000000"), told, strict=True)] == [
        True, True, True,
    ]  # fmt: skip

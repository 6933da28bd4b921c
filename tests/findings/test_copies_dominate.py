from __future__ import annotations

import pytest
from support.chrome import Event, kernel, launch, trace_of
from support.findings import GEMM, found, stage

from tracer.findings.copies_dominate import FINDING
from tracer.summarize import summarize

ID = FINDING.id
PAGEABLE, PINNED = "Memcpy HtoD (Pageable -> Device)", "Memcpy DtoH (Device -> Pinned)"
INTEL, HIP = "Memcpy M2D (MEMORY(Unknown) -> DEVICE)", "CopyHostToDevice"
WITHIN, FILL = "Memcpy DtoD (Device -> Device)", "Memset (Device)"


def _prefill(*names: str) -> list[Event]:
    return stage("tracer/prefill", 0, 5, list(names))


@pytest.mark.parametrize("copy", [PAGEABLE, PINNED, INTEL, HIP])
def test_a_stage_that_mostly_copies_over_the_link_is_named_and_told_to_pin_what_is_known_not_to_be(copy: str) -> None:
    finding = found(ID, *_prefill(copy, copy, GEMM))
    assert finding is not None
    assert finding.message.startswith("67% of LLM prefill's device time is 2 copies between host and device, 20.00 µs")
    pageable = copy in (PAGEABLE, INTEL)
    assert finding.message.endswith(", of memory that is not pinned") is pageable
    assert finding.next_step.startswith("pin the host's side" if pageable else "keep on the device") is True
    assert finding.gain is not None
    assert finding.gain.time_ns == 20_000


@pytest.mark.parametrize("copy", [WITHIN, FILL, GEMM])
def test_copies_within_the_device_and_fills_are_none(copy: str) -> None:
    assert found(ID, *_prefill(copy, copy, GEMM)) is None


def test_half_of_the_time_is_not_most_and_putting_weights_on_the_device_is_what_loading_is() -> None:
    assert found(ID, *_prefill(PAGEABLE, GEMM)) is None
    assert found(ID, *stage("tracer/load", 0, 5, [PAGEABLE, PAGEABLE])) is None


def test_of_a_stage_that_mostly_waits_nothing_is_gained() -> None:
    finding = found(ID, *stage("tracer/prefill", 0, 100, [PAGEABLE, PAGEABLE, GEMM]))
    assert (finding is not None and finding.gain) is None


def test_without_stages_it_is_of_all_work_unless_some_was_lost() -> None:
    events = _prefill(PAGEABLE, PAGEABLE, PINNED, GEMM)[1:]
    finding = found(ID, *events)
    assert finding is not None
    assert "75% of the device time is 3 copies" in finding.message
    assert "20.00 µs of it of memory that is not pinned" in finding.message
    lost = summarize(trace_of(*events, launch(900, 1, 99)))
    assert f"finding {ID}" in [one.what for one in lost.abstained]
    assert ID not in [one.id for one in lost.findings]
    assert found(ID, *events, launch(900, 1, 99), kernel(GEMM, 910, 99, 99)) is None

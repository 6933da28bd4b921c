"""When, where and with which driver a trace was made, as far as its file says it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.chrome import kernel, launch, span, trace_of

from tracer.summarize import summarize, summarize_file
from tracer.trace.origin import EARLIEST_NS, Origin, dotted

WORK = (span("tracer/prefill", 0, 40), launch(10, 2, 1), kernel("gemm", 13, 5, 1))
BASE = 1_790_857_026_000_000_000


@pytest.mark.parametrize(
    ("number", "version"), [("12090", "12.9"), ("13000", "13.0"), ("", ""), ("13.0", ""), ("1e9", "")]
)
def test_versions_of_cuda_are_written_as_people_do(number: str, version: str) -> None:
    assert dotted(number) == version


def test_kineto_counts_from_a_base_or_from_1970_and_what_is_neither_is_unknown() -> None:
    assert Origin(base_ns=BASE).wall_ns(5) == BASE + 5
    assert Origin().wall_ns(EARLIEST_NS + 5) == EARLIEST_NS + 5
    assert Origin(base_ns=7).wall_ns(5) is None


def test_the_document_says_them() -> None:
    info = summarize(
        trace_of(*WORK, baseTimeNanoseconds=BASE, cuda_driver_version=13000, cuda_runtime_version=12090)
    ).trace
    assert (info.began_ns, info.versions, info.host) == (BASE + 13_000, {"cuda": "12.9", "cuda_driver": "13.0"}, "")


@pytest.mark.parametrize("damaged", [{}, {"baseTimeNanoseconds": "yesterday", "cuda_driver_version": [1]}])
def test_a_trace_that_says_nothing_or_nonsense_is_of_nobody_knows_when(damaged: dict[str, object]) -> None:
    info = summarize(trace_of(*WORK, **damaged)).trace
    assert (info.began_ns, info.versions) == (None, {})


def test_an_export_of_nsight_counts_from_its_session(data: Path) -> None:
    info = summarize_file(data / "nsight_h200_gemms.sqlite").trace
    assert info.began_ns is not None
    assert 1795470804899350814 <= info.began_ns < 1795470804899350814 + 10**12

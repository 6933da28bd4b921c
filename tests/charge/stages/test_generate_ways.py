"""Every way to call transformers' `generate`, recorded with two releases; see benchmarks/make_generate_traces.py."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import DATA
from support.truth import told_stages, true_stages

from tracer.charge.stages.find import find_stages
from tracer.charge.stages.ranges import StageRanges
from tracer.document.names import ALL_STAGES, DRAFT, PREFILL, PROJECTOR
from tracer.summarize import summarize_file
from tracer.trace.columns import Spans, Trace, Want
from tracer.trace.reader import read_trace

PATHS = {path.name.partition(".")[0].removeprefix("generate_"): path for path in (DATA / "generate").glob("*.json.gz")}
# Prefills and passes of each, and whether a pass yields one token of each sequence.
KNOWN = {
    "greedy": (1, 4, "tokens"),
    "sampling": (1, 4, "tokens"),
    "streaming": (2, 4, "tokens"),
    "midway": (0, 4, "tokens"),
    "beams": (1, 4, "tokens"),
    "static": (1, 4, "tokens"),
    "assisted": (1, 3, "passes"),
    "lookup": (1, 4, "passes"),
    "contrastive": (1, 5, "passes"),
    "pictures": (2, 4, "tokens"),
    "translation": (1, 4, "tokens"),
}

_DRAFT = ALL_STAGES.index(DRAFT)
COLUMNS = ("start_ns", "end_ns", "thread", "stage", "index", "request")


@cache
def _trace(path: Path) -> Trace:
    return read_trace(path, Want.SUMMARY | Want.CPU_OPS | Want.MODULES | Want.DETAILS)


def _wrong(trace: Trace, found: StageRanges) -> int:
    """How many operators, of those whose stage is known, are in another one."""
    truth = true_stages(trace, trace.cpu_ops.start_ns, trace.cpu_ops.thread)
    told = told_stages(found, trace.cpu_ops.start_ns, trace.cpu_ops.thread)
    # The projector has no range of its own there: it is within the pass of the prompt.
    told = np.where(told == ALL_STAGES.index(PROJECTOR), ALL_STAGES.index(PREFILL), told)
    # Nor has the drafting: it is within the pass that checks it.
    alone = replace(found, **{name: getattr(found, name)[found.stage != _DRAFT] for name in COLUMNS})
    around = told_stages(alone, trace.cpu_ops.start_ns, trace.cpu_ops.thread)
    told = np.where(told == _DRAFT, around, told)
    return int(((truth >= 0) & (told != truth)).sum())


@pytest.mark.parametrize("name", sorted(PATHS))
def test_generations_frames_tell_each_operators_stage(name: str) -> None:
    trace = _trace(PATHS[name])
    found = find_stages(trace)
    assert (found.markers, _wrong(trace, found)) == ("generation", 0)
    summary = summarize_file(PATHS[name])
    calls = {stage.stage: stage.calls for stage in summary.stages}
    known = KNOWN[name.split("_")[-1]]
    assert (calls.get("prefill", 0), calls["decode"], summary.trace.steps) == known


@pytest.mark.parametrize("name", sorted(PATHS))
def test_without_these_frames_modules_and_shapes_tell_them_or_nobody_does(name: str) -> None:
    trace = replace(_trace(PATHS[name]), generation=Spans.none())
    found = find_stages(trace)
    # An assistant is a second language model; a T5 has no decoder layers by name.
    if name.endswith(("assisted", "translation")):
        assert not len(found)
    else:
        assert (found.markers, _wrong(trace, found)) == ("modules", 0)


@pytest.mark.parametrize("name", sorted(PATHS))
def test_without_frames_and_shapes_nobody_tells_by_the_hosts_time(name: str) -> None:
    assert not len(find_stages(replace(_trace(PATHS[name]), generation=Spans.none(), details=None)))


def test_both_releases_are_here_with_all_ways_that_they_have() -> None:
    assert {name.rpartition("_")[0] for name in PATHS} == {"4_46", "5_23"}
    assert {name.rpartition("_")[2] for name in PATHS} == set(KNOWN)


def test_a_recording_begun_within_generate_has_no_prompt_and_its_first_pass_is_a_step() -> None:
    for release in ("4_46", "5_23"):
        found = find_stages(_trace(PATHS[f"{release}_midway"]))
        assert found.index.tolist() == [1, 2, 3, 4]
        assert found.request_start_ns.tolist() == found.start_ns[:1].tolist()

"""Unmarked `generate` with a draft, against ranges that say whose pass it is: benchmarks/make_drafting_traces.py."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import DATA

from tracer.charge.spans import innermost_span
from tracer.choices import Choices
from tracer.summarize import Charged, charge, read, summarize_charged
from tracer.trace.source import Source

PATHS = {path.name.partition(".")[0].rpartition("_")[2]: path for path in (DATA / "drafting").glob("*.json.gz")}
MODELS = ("target", "draft")


@cache
def _charged(path: Path) -> Charged:
    choices = Choices(shapes=True)
    with Source(path, choices.limits) as source:
        return charge(read(source, choices), choices)


def _said(charged: Charged, what: str) -> list[int]:
    """Numbers of the ranges `truth/WHAT#NUMBER`, in their order."""
    ranges = charged.trace.ranges
    names = [charged.trace.strings[name] for name in ranges.name[np.argsort(ranges.start_ns)].tolist()]
    return [int(name.rpartition("#")[2]) for name in names if name.startswith(f"truth/{what}#")]


def test_all_kinds_of_drafts_are_here() -> None:
    """One of the same class twice, one of another class, sampling, and a lookup in the prompt."""
    assert set(PATHS) == {"twins", "other", "sampled", "lookup"}


@pytest.mark.parametrize("name", sorted(PATHS))
def test_each_operator_of_a_pass_is_in_the_role_of_the_model_that_makes_it(name: str) -> None:
    charged = _charged(PATHS[name])
    trace, work = charged.trace, charged.work
    ranges = trace.ranges[np.array([trace.strings[name].startswith("truth/") for name in trace.ranges.name.tolist()])]
    models = [trace.strings[name].removeprefix("truth/") for name in ranges.name.tolist()]
    truth = np.array([*models, ""])[innermost_span(ranges, work.call_start_ns, work.call_thread)]
    role = np.array([*charged.ranges.roles, ""])[work.stage]
    for model in MODELS:
        own = truth == model
        assert own.any() or (name, model) == ("lookup", "draft")
        assert set(role[own].tolist()) <= {model}


@pytest.mark.parametrize("name", sorted(PATHS))
def test_passes_and_rounds_are_counted_as_generation_did(name: str) -> None:
    charged = _charged(PATHS[name])
    found = summarize_charged(charged, Choices(shapes=True)).speculation
    assert found is not None
    names = [charged.trace.strings[name] for name in charged.trace.ranges.name.tolist()]
    assert {role: work.passes for role, work in found.roles.items()} == {
        model: names.count(f"truth/{model}") for model in MODELS
    }
    drafted, accepted = _said(charged, "drafted"), _said(charged, "accepted")
    if name != "lookup":  # which drafts in every round, although it may find nothing
        drafted, accepted = (row[: len(row) - drafted.count(0)] for row in (drafted, accepted))
    assert len(found.each) == len(drafted)
    told = [(one.drafted, one.accepted) for one in found.each]
    # Of the last pass nothing tells what it accepted, nor of a lookup how long the prompt was.
    for place, (has, truth) in enumerate(zip(told, zip(drafted, accepted, strict=True), strict=True)):
        assert has in (
            truth,
            (truth[0], None) if place == len(told) - 1 else truth,
            (None, None) if not place else truth,
        )
    assert found.told_rounds >= len(told) - 2
    assert found.told_accepted_tokens == sum(has[1] or 0 for has in told)

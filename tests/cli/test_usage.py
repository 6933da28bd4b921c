"""Mistakes on the command line name the help of the verb that they were made at."""

from __future__ import annotations

import sys

import pytest

from tracer.cli import drafting
from tracer.cli.app import VERBS, run
from tracer.document.errors import UsageError

# Of each verb an option that takes a value, left without it; verbs that have none have an option that there is not.
NO_VALUE = {
    "record": "--model", "summarize": "--by", "compare": "--tolerance", "ab": "--precision", "baseline": "--jobs",
    "explain": "--jobs", "whatif": "--decode", "critical-path": "--range", "calibrate": "--device",
    "models": "--no-such", "doctor": "--no-such",
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", ["unknown", "no value"])
def test_every_verbs_usage_error_names_the_verbs_help(verb: str, kind: str) -> None:
    option = "--no-such-option" if kind == "unknown" else NO_VALUE.get(verb, "--no-such-option")
    with pytest.raises(UsageError) as error:
        run([verb, option])
    assert str(error.value).endswith(f"(see tracer {verb} --help)")
    assert option in str(error.value)


@pytest.mark.parametrize("arguments", [["no-such-verb"], ["--no-such-option"], ["--no-such-option", "record"]])
def test_where_no_verb_was_understood_the_help_of_all_is_named(arguments: list[str]) -> None:
    with pytest.raises(UsageError, match=r"\(see tracer --help\)$"):
        run(arguments)


def test_a_value_that_is_none_names_the_verb_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["tracer"])
    with pytest.raises(UsageError, match=r"--batch-size.*\(see tracer record --help\)$"):
        run(["record", "--batch-size", "x"])


@pytest.mark.parametrize("by", [[], ["--by", "kernel"]])
def test_a_trace_of_a_capture_is_refused_where_it_would_change_nothing(by: list[str]) -> None:
    with pytest.raises(UsageError, match="add --by op, module or layer"):
        run(["summarize", "run.json", "--capture", "capture.json", *by])


def test_a_draft_and_its_target_are_both_on_gpus_or_both_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from tracer.recording.options import Drafting

    monkeypatch.setattr("tracer.cli.choices.choose_device", lambda name, **_: name)
    for draft, target in (("cuda:1", "cuda"), ("cpu", "cpu"), (None, "cuda")):
        drafting.check_device(Drafting(model="eventgpt", device=draft), target)
    for draft, target in (("cuda", "cpu"), ("cpu", "cuda:0")):
        with pytest.raises(UsageError, match=f"--draft-device {draft}: the target is on {target}"):
            drafting.check_device(Drafting(model="eventgpt", device=draft), target)


@pytest.mark.parametrize("number", ["nan", "inf", "1e300"])
@pytest.mark.parametrize(("verb", "option"), [("whatif", "--launch-overhead"), ("summarize", "--peak-tflops")])
def test_a_number_that_nothing_can_be_reckoned_with_is_refused(verb: str, option: str, number: str) -> None:
    with pytest.raises(UsageError, match=rf"'{option}': .* is no number up to 1e\+09.*\(see tracer {verb} --help\)$"):
        run([verb, "no.json", option, number])

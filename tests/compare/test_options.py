from __future__ import annotations

from typing import Any

import msgspec
from support.summaries import requests, summary

from tracer.compare.options import differing_options
from tracer.compare.pairs import compare
from tracer.document.comparison import Option
from tracer.document.summary import Summary


def _run(**changes: Any) -> Summary:
    found = summary(requests())
    return msgspec.structs.replace(found, run={**(found.run or {}), **changes})


def test_options_in_which_the_runs_differ_are_listed_and_no_others() -> None:
    before = _run(decode="eager", options={"requests": 10, "max_new_tokens": 8, "output": "a.json"})
    after = _run(decode="graph", options={"requests": 10, "max_new_tokens": 64, "output": "b.json", "with_stack": True})
    expected = [
        Option(name="decode", before="eager", after="graph"),
        Option(name="max_new_tokens", before="8", after="64"),
        Option(name="with_stack", before="", after="true"),
    ]
    assert differing_options(before, after) == expected
    (pair,) = compare([before, after], tolerance=0.01).pairs
    assert pair.options == expected


def test_equal_runs_and_traces_of_others_differ_in_none() -> None:
    assert differing_options(_run(), _run()) == []
    assert differing_options(_run(), summary()) == []
    assert differing_options(_run(options="hostile"), _run(options=["hostile"])) == []


def test_a_long_value_is_cut() -> None:
    (option,) = differing_options(_run(options={"prompt": "x" * 999}), _run())
    assert option.before == "x" * 79 + "…"

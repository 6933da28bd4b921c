"""The part and the renderer that CONTRIBUTING.md adds."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from types import ModuleType

import pytest
from support.summaries import requests, summary

from reports import document
from reports.render import markdown, text

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()


def _example(heading: str) -> ModuleType:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (source,) = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    module = ModuleType("example")
    exec(source, module.__dict__)  # noqa: S102 -- our own page
    return module


def test_a_part_that_is_added_is_in_every_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "SUMMARY", (*document.SUMMARY, _example("Adding a part of the report")))
    blocks = document.of_summary(summary(requests()))
    assert "\nwritten by\ntracer" in text.render(blocks)
    assert "\n### written by\n\ntracer" in markdown.render(blocks, heading="x")


def test_a_renderer_that_is_added_has_every_table() -> None:
    found = _example("Adding a renderer").render(document.of_summary(summary(requests())))
    rows = list(csv.reader(found.splitlines()))
    assert rows[0][:3] == ["stage", "calls", "host"]
    assert [row[0] for row in rows[1:4]] == ["vision", "prefill", "decode"]

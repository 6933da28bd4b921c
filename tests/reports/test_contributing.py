"""The renderer that CONTRIBUTING.md adds."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from types import ModuleType

from support.summaries import requests, summary

from reports import document

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()


def _example(heading: str) -> ModuleType:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (source,) = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    module = ModuleType("example")
    exec(source, module.__dict__)  # noqa: S102 -- our own page
    return module


def test_a_renderer_that_is_added_has_every_table() -> None:
    found = _example("Adding a renderer").render(document.of_summary(summary(requests())))
    rows = list(csv.reader(found.splitlines()))
    assert rows[0][:3] == ["stage", "calls", "host"]
    assert [row[0] for row in rows[1:4]] == ["vision", "prefill", "decode"]

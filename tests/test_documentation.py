"""Pages that are made from the code are as it makes them, and the notebook is what it prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tracer.findings import documentation as findings
from tracer.findings.registry import findings as rules
from tracer.fleet import documentation as fleet

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_on_findings_is_what_their_rules_say() -> None:
    assert (DOCS / "findings.md").read_text() == findings.page(), "make surface"


def test_the_page_on_fleets_has_each_column_as_the_tables_have_it() -> None:
    text = (DOCS / "fleet.md").read_text()
    assert text == fleet.page(text), "make surface"
    assert all(f"| `{name}` |" in text for name in ("read_ns", "lost_launches", "others_ns"))


def test_no_finding_is_left_out() -> None:
    assert all(f"\n## {name}\n" in findings.page() for name in rules())


def test_every_page_is_in_the_site() -> None:
    listed = (DOCS.parent / "mkdocs.yml").read_text()
    assert [path.name for path in DOCS.glob("*.md") if f" {path.name}\n" not in listed] == []


def _texts(notebook: Any) -> list[list[str]]:
    return [
        [output.get("text") or output["data"]["text/plain"] for output in cell.get("outputs", [])]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_the_notebook_prints_what_stands_in_it() -> None:
    nbclient = pytest.importorskip("nbclient", reason="pip install '.[test]'")
    nbformat = pytest.importorskip("nbformat", reason="pip install '.[test]'")
    notebook = nbformat.read(DOCS / "example.ipynb", as_version=4)
    before = _texts(notebook)
    assert all(before)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(DOCS)}}).execute()
    assert _texts(notebook) == before

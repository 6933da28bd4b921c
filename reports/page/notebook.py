"""A run as a notebook shows it: the parts of the report, in colours that stand on light and on dark."""

from __future__ import annotations

from importlib.resources import files as resources
from typing import TYPE_CHECKING

from reports.document import of_summary
from reports.render import html

if TYPE_CHECKING:
    from tracer.document.summary import Summary

STYLE = "notebook.css"


def fragment(summary: Summary) -> str:
    """HTML for the middle of somebody else's page: no script, no address, and a style that reaches no further."""
    style = resources("reports.page").joinpath("static", STYLE).read_text(encoding="utf-8")
    shown = "".join(map(html.block, of_summary(summary)))
    return f'<div class="tracer-run"><style>{style}</style>{shown}</div>'

"""What is compared: the files, what was run in each, and on how much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Caution, Column, Row, Table, block
from reports.palette import NONE
from reports.parts.compared.words import count

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.comparison import Comparison, Run


def part(comparison: Comparison, _: Asked) -> Block | None:
    """A row a run, the baseline first."""
    columns = [
        Column("", right=False),
        Column("file", right=False, named=True),
        Column("run", right=False, named=True),
        Column("requests"),
        Column("tokens in", rank=2),
        Column("out", rank=1),
    ]
    rows = [
        Row([run.label, _files(run), run.title or NONE, f"{run.requests:,}", _tokens_in(run), count(run.new_tokens)])
        for run in comparison.runs
    ]
    cautions = [Caution(f"{run.path}: {warning}", "note") for run in comparison.runs for warning in run.warnings]
    return block("", Table(columns, rows), *cautions)


def _files(run: Run) -> str:
    return run.path if run.recordings == 1 else f"{run.recordings} from {run.path}"


def _tokens_in(run: Run) -> str:
    if run.visual_tokens is None or run.prompt_tokens is None:
        return NONE
    return f"{count(run.visual_tokens)} + {count(run.prompt_tokens)}"

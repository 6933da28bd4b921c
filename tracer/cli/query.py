"""`tracer query`: SQL over a trace's tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracer.cli.cautions import caution
from tracer.cli.options import Force, Format, Jobs, NoLimit, Output, OutputFormat, Width
from tracer.cli.printed import check_output, put, rendered

if TYPE_CHECKING:
    from reports.blocks import Block

# Of an answer in text; JSON has all of them.
SHOWN = 100


def command(
    trace: Annotated[Path, typer.Argument(help="A trace, as for summarize.", show_default=False)],
    sql: Annotated[
        str,
        typer.Argument(metavar="SQL", help="One query in DuckDB's SQL: 'select ... from ops'.", show_default=False),
    ],
    output_format: OutputFormat = Format.TEXT,
    top: Annotated[int | None, typer.Option(min=1, metavar="N", help=f"Rows to show. [default: {SHOWN}]")] = None,
    output: Output = None,
    force: Force = False,
    width: Width = None,
    jobs: Jobs = None,
    no_limit: NoLimit = False,
) -> None:
    """Ask a trace in SQL: select stage, sum(time_ns) from ops group by stage.

    The tables are ops, launches, calls, ranges, stages, tokens, requests, memory, footprint, energy and findings;
    docs/tables.md has their columns. A query reaches these tables, and no file.
    """
    check_output(output, force=force)
    from tracer.choices import Choices
    from tracer.loaded import ARROW, load
    from tracer.tables.optional import require
    from tracer.trace.limits import limits

    require("duckdb", "query")
    run = load(trace, Choices(jobs=jobs, limits=limits(lifted=no_limit)), frames=ARROW)
    answer = run.query(sql)
    caution(run.summary)
    if output_format is Format.JSON:
        put(as_json(answer), output, json=True)
        return
    blocks = [as_block(answer, top or SHOWN)]
    put(rendered(blocks, output_format, heading="tracer query", width=width, output=output), output)


def as_json(answer: Any) -> str:
    """A list of rows."""
    import json

    return json.dumps(answer.to_pylist(), indent=2, default=str) + "\n"


def as_block(answer: Any, most: int) -> Block:
    """The answer as a table; figures to the right, as they are."""
    import pyarrow as pa

    from reports.blocks import Block, Column, Row, Table, note

    rows = answer.slice(0, most).to_pylist()
    number = {name: pa.types.is_integer(kind) or pa.types.is_floating(kind) for name, kind in _types(answer)}
    # Where there is no room, the last columns go before a digit does.
    columns = [
        Column(name, right=number[name], named=not number[name], rank=place)
        for place, name in enumerate(answer.column_names)
    ]
    cells = [Row([_cell(row[name]) for name in answer.column_names]) for row in rows]
    left = answer.num_rows - len(rows)
    more = f"{left:,} more {'row' if left == 1 else 'rows'}: --top, or --format json." if left else None
    return Block("", (Table(columns, cells, ruled=True), *([note(more)] if more else [])))


def _types(answer: Any) -> list[tuple[str, Any]]:
    return [(field.name, field.type) for field in answer.schema]


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)

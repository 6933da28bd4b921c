"""The page that says what each table and column means, made from the tables themselves.

python -m tracer.tables.documentation > docs/tables.md
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tracer.tables.table import tables

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """# Tables

`tracer export FILE -o FOLDER` writes these as Parquet, CSV or Arrow files, `tracer query FILE SQL` asks them in SQL,
and `tracer.load(FILE)` has each as a data frame. It takes `pip install '.[tables]'`.

Times are integer nanoseconds on the trace's own clock. What is unknown is null. A key tells the rows of a table apart;
`call` in `ops` is that of `calls` and `launches`.

```sh
tracer record --model eventgpt --max-new-tokens 8
tracer export run.json --output run-tables
tracer query run.json "select stage, category, sum(time_ns) / 1e6 as ms from ops group by all order by ms desc"
```

```python
import tracer

run = tracer.load("run.json")  # frames="pandas", "polars" or "arrow"
slowest = run.tokens.sort_values("busy_ns").tail(3)
run.query("select name, count(*) from ops where stage = 'decode' group by name")
```
"""


def page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([HEAD, *_tables()])


def _tables() -> Iterator[str]:
    for name, table in tables().items():
        yield f"## {name}\n\nA row is {table.meaning}. Key: {', '.join(f'`{key}`' for key in table.key)}.\n"
        yield "| column | type | what it is |\n|---|---|---|"
        yield from (f"| `{column.name}` | {column.type} | {column.meaning} |" for column in table.columns)
        yield ""


if __name__ == "__main__":
    sys.stdout.write(page())

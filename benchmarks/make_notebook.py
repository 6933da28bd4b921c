"""Write docs/example.ipynb and execute it.

python benchmarks/make_notebook.py
"""

from __future__ import annotations

from pathlib import Path

import nbclient
import nbformat
from nbformat import v4

DOCS = Path(__file__).parents[1] / "docs"
# Text and code in turns.
TEXT = '''\
# A trace in a notebook

A recorded step of an SGLang server on an MI300X: the file is in the repository. Take one of your own.
---
import tracer

run = tracer.load("../tests/data/kineto_mi300x_sglang_decode_graph.json.gz")
run
---
Each table is a data frame ([all columns](tables.md)).
---
run.stages[["stage", "calls", "ops", "device_time_ns", "busy_ns", "idle_ns"]]
---
Which kinds of kernels is the decode step made of?
---
decode = run.ops[run.ops.stage == "decode"]
by_kind = decode.groupby("category", observed=True).time_ns.agg(["count", "sum"])
by_kind.sort_values("sum", ascending=False)
---
The same in SQL: the longest gaps in front of a kernel, and their causes.
---
run.query("""
    select name[:30] as kernel, idle_host_ns, idle_sync_ns, idle_launch_ns
    from ops
    order by idle_host_ns + idle_sync_ns + idle_launch_ns desc
    limit 5
""")
---
What is worth knowing:
---
run.findings[["id", "severity", "gain_ns"]]
'''


def main() -> None:
    cells = [
        v4.new_code_cell(text.strip(), id=f"cell-{place}")
        if place % 2
        else v4.new_markdown_cell(text, id=f"cell-{place}")
        for place, text in enumerate(TEXT.split("\n---\n"))
    ]
    notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(DOCS)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    nbformat.write(notebook, DOCS / "example.ipynb")


if __name__ == "__main__":
    main()

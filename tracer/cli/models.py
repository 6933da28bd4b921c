"""`tracer models`: the built-in models."""

from __future__ import annotations


def command() -> None:
    """List the built-in models and their sizes."""
    from rich.console import Console
    from rich.table import Table

    from model.registry import MODELS

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("model", "sizes", "what it is"):
        table.add_column(heading)
    for entry in MODELS.values():
        table.add_row(entry.name, ", ".join(entry.sizes), entry.summary)
    Console().print(table)

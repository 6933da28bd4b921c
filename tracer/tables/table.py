"""What a file of the folder `each` is: a table with its columns, as its `TABLE`."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import tracer.tables.each as folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracer.arrays import I64, Bools
    from tracer.document.summary import Summary

# The order in which they are listed: from the trace's rows to what is made of them.
ORDER = (
    "ops",
    "launches",
    "calls",
    "ranges",
    "stages",
    "tokens",
    "requests",
    "memory",
    "footprint",
    "energy",
    "findings",
)
INTEGER, FLOAT, TEXT, FLAG = "integer", "float", "text", "flag"


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: with its unit.
        meaning: in words, for the documentation and for Arrow's metadata.
        type: INTEGER (64 bits), FLOAT, TEXT or FLAG.
    """

    name: str
    meaning: str
    type: str = INTEGER


@dataclass(frozen=True, slots=True)
class Named:
    """Texts of which few are different: of each row an index into `strings`, below 0 where there is none."""

    index: I64
    strings: Sequence[str]


@dataclass(frozen=True, slots=True)
class Known:
    """Numbers of which some are unknown."""

    values: I64
    known: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table.

    Attributes:
        meaning: what a row is.
        key: the columns that tell its rows apart.
        columns: all of them, in order.
        rows: of an analysed trace and its summary each column's values: an array, a list with None for what is unknown,
            `Named` or `Known`.
    """

    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: Callable[[Any, Summary], dict[str, Any]]


@cache
def tables() -> dict[str, Table]:
    """All that there are, by name."""
    found = {one.name for one in pkgutil.iter_modules(folder.__path__)}
    names = [*[name for name in ORDER if name in found], *sorted(found - set(ORDER))]
    return {name: import_module(f"{folder.__name__}.{name}").TABLE for name in names}

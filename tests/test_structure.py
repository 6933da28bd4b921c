"""The shape of the code: files and functions stay small, and no file imports another that imports it."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
FILES = sorted(path for room in ("tracer", "model", "reports") for path in (ROOT / room).rglob("*.py"))
LONGEST_FILE, MEDIAN_FILE, LONGEST_FUNCTION = 400, 120, 60
# Of a verb the signature is its options, each with its help, and the docstring is its own.
VERB = "command"


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


NAMES = set(map(_module, FILES))


@cache
def _trees() -> dict[str, ast.Module]:
    """By module, what it says; two seconds that only who runs these tests has to wait for."""
    return {_module(path): ast.parse(path.read_text()) for path in FILES}


def _imported(tree: ast.Module) -> set[str]:
    """Modules of ours that a file imports anywhere, for types alone too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{name.name}" for name in node.names}
            found |= {name if name in NAMES else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found & NAMES


def circle(imports: dict[str, set[str]]) -> list[str]:
    """Modules of which each imports the next, and the last the first; none where there is no such circle."""
    try:
        TopologicalSorter({name: others - {name} for name, others in imports.items()}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_file_imports_another_that_imports_it() -> None:
    assert circle({name: _imported(tree) for name, tree in _trees().items()}) == []


def test_a_circle_would_be_found() -> None:
    found = circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    assert {frozenset(pair) for pair in pairwise(found)} == {frozenset("ab"), frozenset("bc"), frozenset("ca")}


def test_files_stay_short() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in FILES}
    assert {path: count for path, count in lines.items() if count > LONGEST_FILE} == {}
    assert median(lines.values()) < MEDIAN_FILE


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = (function.body[0].end_lineno or 0) + 1 if function.name == VERB else function.lineno
    return (function.end_lineno or first) - first + 1


def test_functions_stay_short() -> None:
    long = [
        (name, node.name, _lines(node))
        for name, tree in _trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _lines(node) > LONGEST_FUNCTION
    ]
    assert long == []

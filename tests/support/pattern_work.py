"""Run every compiled pattern of tracer, reports and model on texts made against it; see tests/test_patterns.py.

The first argument says how long the texts are, the second how many seconds of processor time each pattern has: one
that takes longer ends the process (SIGPROF), and the last line printed names it. With patterns behind them, run those
instead.
"""

from __future__ import annotations

import ast
import re
import re._parser as parser  # type: ignore[import-untyped]
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ROOMS = ("tracer", "reports", "model")
METHODS = ("search", "match", "fullmatch", "sub", "finditer", "findall", "split")
MOST_PIECES = 24


@dataclass(frozen=True)
class Found:
    """A pattern, where it is, and how its module uses it."""

    where: str
    pattern: re.Pattern[Any]
    methods: frozenset[str]


def patterns() -> Iterator[Found]:
    """Those of modules that compile some, in names, lists and mappings, and those that functions make."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            source = path.read_text()
            if "re.compile(" not in source or "inject" in path.parts:
                continue
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            module = import_module(name)
            used = _uses(ast.parse(source))
            for key, value in vars(module).items():
                methods = used.get(key, frozenset()) or frozenset(("search",))
                yield from (Found(f"{name}.{key}", one, methods) for one in _inside(value))
    yield from _made()


def _inside(value: Any) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        yield from (one for inner in value.values() for one in _inside(inner))
    elif isinstance(value, list | tuple):
        yield from (one for inner in value for one in _inside(inner))


def _uses(tree: ast.Module) -> dict[str, frozenset[str]]:
    """The methods that are called on each name."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in METHODS:
            found.setdefault(node.value.id, set()).add(node.attr)
    return {name: frozenset(methods) for name, methods in found.items()}


def _made() -> Iterator[Found]:
    from tracer.trace.chrome.categories import wanted_pattern
    from tracer.trace.columns import Want

    for want in (Want.SUMMARY, Want.SUMMARY | Want.CPU_OPS | Want.MODULES, Want.FRAMES):
        yield Found(
            f"tracer.trace.chrome.categories.wanted_pattern({want!r})", wanted_pattern(want), frozenset(("match",))
        )


def hostile_texts(pattern: re.Pattern[Any], length: int) -> Iterator[Any]:
    """Texts of about so many characters."""
    pieces, whole = _pieces(pattern)
    for before, piece in pieces:
        times = max(1, length // len(piece))
        for start in dict.fromkeys(("", before)):
            for end in ("\0", ""):
                yield _as(pattern, start + piece * times + end)
    for between in ("", " ", "\n", "x"):
        yield _as(pattern, (whole + between) * max(1, length // max(1, len(whole + between))) + "\0")
    for before in dict.fromkeys(whole[:cut] for cut in range(0, min(len(whole), 40) + 1, 3)):
        yield _as(pattern, before + " " * length + "\0")


def _as(pattern: re.Pattern[Any], text: str) -> Any:
    return text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")


def _pieces(pattern: re.Pattern[Any]) -> tuple[list[tuple[str, str]], str]:
    """What a pattern is made of, each piece with a text that fits what comes before it, and a text that fits it all."""
    found: dict[tuple[str, str], None] = {}
    whole = _walk(parser.parse(pattern.pattern, pattern.flags), "", found)
    pieces = [(before, piece) for before, piece in found if piece]
    step = max(1, len(pieces) // MOST_PIECES)
    return pieces[::step], whole


def _walk(nodes: Iterable[Any], before: str, found: dict[tuple[str, str], None]) -> str:
    """A text that these nodes fit; notes on the way what they repeat and choose from."""
    text, word = "", ""
    for operation, value in nodes:
        name = str(operation)
        if name == "LITERAL":
            word += chr(value)
            text += chr(value)
            continue
        if word:
            found[before, word] = None
            word = ""
        text += _one(name, value, before + text, found)
    if word:
        found[before, word] = None
    return text


def _one(name: str, value: Any, before: str, found: dict[tuple[str, str], None]) -> str:
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        low, high, inner = value
        piece = _walk(inner, before, found)
        found[before, piece] = None
        return piece * max(low, 1 if high else 0)
    if name == "BRANCH":
        texts = [_walk(branch, before, found) for branch in value[1]]
        for text in texts:
            found[before, text] = None
        return texts[0]
    if name == "SUBPATTERN":
        return _walk(value[-1], before, found)
    if name in ("ASSERT", "ASSERT_NOT"):
        _walk(value[1], before, found)
        return ""
    if name == "ATOMIC_GROUP":
        return _walk(value, before, found)
    if name == "IN":
        return _of_class(value)
    return {"ANY": "a", "NOT_LITERAL": "~"}.get(name, "")


def _of_class(members: Any) -> str:
    if str(members[0][0]) == "NEGATE":
        return "~"
    name, value = str(members[0][0]), members[0][1]
    if name == "LITERAL":
        return chr(value)
    if name == "RANGE":
        return chr(value[0])
    return {"CATEGORY_DIGIT": "1", "CATEGORY_SPACE": " "}.get(str(value), "a")


def work(found: Found, length: int) -> None:
    """Use a pattern as its module does, on each of its texts."""
    for text in dict.fromkeys(hostile_texts(found.pattern, length)):
        for method in found.methods:
            if method == "sub":
                found.pattern.sub(lambda match: match[0], text)
            elif method == "finditer":
                for _ in found.pattern.finditer(text):
                    pass
            else:
                getattr(found.pattern, method)(text)


def main(length: int, patience_s: float, given: list[str]) -> None:
    count = 0
    given_ones = [Found(text, re.compile(text), frozenset(("search",))) for text in given]
    # What several modules use is tried once for each way of using it.
    for found in {(one.pattern, one.methods): one for one in given_ones or patterns()}.values():
        sys.stdout.write(f"{found.where}\n")
        sys.stdout.flush()
        signal.setitimer(signal.ITIMER_PROF, patience_s)
        work(found, length)
        count += 1
    signal.setitimer(signal.ITIMER_PROF, 0)
    sys.stdout.write(f"all of {count} patterns\n")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])

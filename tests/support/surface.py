"""What other programs and people may rely on, as lines of text: written by `make surface`, held by a test.

One line for each name, so that a difference reads as what was taken away and what was added.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import tomllib
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

import tracer
import tracer.document
from tracer.cli.app import VERBS, build_app
from tracer.cli.main import INTERRUPTED
from tracer.document.errors import TracerError, UsageError
from tracer.document.summary import Prediction

ROOT = Path(__file__).parent.parent.parent
# What typer calls a type, before and since it carries click inside; ranges are options' own business.
TYPES = {"text": "TEXT", "str": "TEXT", "integer": "INTEGER", "int": "INTEGER", "float": "NUMBER", "path": "PATH"}
WORDS = {int: "integer", float: "number", str: "text", bool: "true or false", Any: "anything", type(None): "null"}


def surface() -> str:
    """The whole of it, a section each for Python, the command line and the documents."""
    sections = {
        "import tracer": _python(),
        "pip install '.[extra]'": sorted(_extras()),
        "exit codes": _exit_codes(),
        "findings": _findings(),
    }
    sections |= {f"tracer {verb}": list(_verb(verb)) for verb in ("", *VERBS)}
    sections |= {schema: list(keys(document)) for schema, document in sorted(_documents().items())}
    sections["tracer whatif --json"] = list(keys(Prediction))  # has no schema of its own
    blocks = ("".join(f"{line}\n" for line in [f"[{title.strip()}]", *lines]) for title, lines in sections.items())
    return "\n".join(blocks)


def _python() -> list[str]:
    found = [(name, getattr(tracer, name)) for name in sorted(tracer.__all__)]
    return [f"{name}{inspect.signature(value) if callable(value) else ''}" for name, value in found]


def _extras() -> list[str]:
    return list(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])


def _exit_codes() -> list[str]:
    errors = [TracerError, *_subclasses(TracerError)]
    return ["0 done", *(f"{one.exit_code} {one.__name__}" for one in errors), f"{INTERRUPTED} interrupted"]


def _subclasses(error: type[TracerError]) -> Iterator[type[TracerError]]:
    for one in sorted(error.__subclasses__(), key=lambda one: one.__name__):
        # A room's own is told as what it is derived from, and is there only once somebody has imported that room.
        if one.__module__ == TracerError.__module__:
            yield one
            yield from _subclasses(one)


def _findings() -> list[str]:
    """The ids that `tracer explain` knows, as it lists them to somebody who gives none of them."""
    try:
        build_app(["explain"])(["explain", "no such finding"], standalone_mode=False)
    except UsageError as error:
        return sorted(str(error).partition("there are ")[2].split(", "))
    raise AssertionError("tracer explain took what is no finding")


def _verb(verb: str) -> Iterator[str]:
    """Its arguments in their order, then its options by name: what each takes, and its default if that is a value."""
    import typer.main

    group = typer.main.get_command(build_app([]))
    command = group.commands[verb] if verb else group  # type: ignore[attr-defined]
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            yield f"{parameter.name.upper()}{'...' if parameter.nargs == -1 or parameter.multiple else ''}"
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    for option in sorted(options, key=lambda option: option.opts):
        names = ", ".join([*option.opts, *option.secondary_opts])
        takes = "" if option.is_flag else f" {option.metavar or _taken(option.type)}"
        many = " ..." if option.multiple else ""
        default = "" if option.default in (None, False, []) else f" [{option.default}]"
        yield f"{names}{takes}{many}{default}"
        yield from (f"{names} {choice}" for choice in getattr(option.type, "choices", ()))


def _taken(kind: Any) -> str:
    """What an option takes, spelled alike whatever version of typer says it."""
    return "CHOICE" if hasattr(kind, "choices") else TYPES[kind.name.split()[0]]


def _documents() -> dict[str, type[msgspec.Struct]]:
    """Each versioned document by its schema: the type of a module of `tracer.document` that has the key `schema`."""
    found = {}
    for module in pkgutil.walk_packages(tracer.document.__path__, "tracer.document."):
        own = vars(importlib.import_module(module.name))
        types_of_it = (value for value in own.values() if inspect.isclass(value) and value.__module__ == module.name)
        for value in types_of_it:
            if issubclass(value, msgspec.Struct) and "schema" in value.__struct_encode_fields__:
                found[own["SCHEMA"]] = value
    return found


def keys(kind: Any, path: str = "") -> Iterator[str]:
    """Every key of a document by its path, with what stands there; `?` where a reader may not find it."""
    for field in msgspec.structs.fields(kind):
        required = field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT
        yield from _value(f"{path}{field.encode_name}", field.type, "" if required else "?")


def _value(path: str, kind: Any, optional: str) -> Iterator[str]:
    """One key, and those below it."""
    kind, null = _without_null(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        yield from _value(path, arguments[0] | null if null else arguments[0], optional)
    elif origin in (list, tuple):
        yield from _value(f"{path}[]", arguments[0], optional)
    elif origin is dict:
        yield from _value(f"{path}.*", arguments[1], optional)
    elif inspect.isclass(kind) and issubclass(kind, msgspec.Struct):
        yield f"{path}{optional}: object{' or null' if null else ''}"
        yield from keys(kind, f"{path}.")
    else:
        said = " or ".join(f'"{one}"' for one in arguments) if origin is typing.Literal else WORDS[kind]
        yield f"{path}{optional}: {said}{' or null' if null else ''}"


def _without_null(kind: Any) -> tuple[Any, Any]:
    """A type less None, and NoneType if that was part of it; less what stands for a key that may be absent, too."""
    if typing.get_origin(kind) not in (types.UnionType, typing.Union):
        return kind, None
    parts = typing.get_args(kind)
    (rest,) = [one for one in parts if one not in (types.NoneType, msgspec.UnsetType)]
    return rest, types.NoneType if types.NoneType in parts else None


if __name__ == "__main__":
    sys.stdout.write(surface())

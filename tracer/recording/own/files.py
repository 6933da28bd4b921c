"""A model from somebody's own file: `path/to/file.py:build`.

Upstream EventGPT, and many a project, is itself a top-level package called `model`, as one of ours is. So while such a
file is loaded and run, our `model` is out of sight and the file's own folder comes first on the path; afterwards
everything is as it was before, and both live side by side.
"""

from __future__ import annotations

import inspect
import sys
import traceback
from contextlib import contextmanager
from dataclasses import fields
from importlib import invalidate_caches
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from model.errors import ModelError
from model.registry import ModelOptions
from tracer.document.errors import InputError, TracerError, UsageError
from tracer.recording.own.adapter import OwnCallable, OwnStaged, adapt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from types import ModuleType

    from tracer.recording.own.spelling import OwnFile

_OURS = "model"
# What a file's function may ask for besides, by this name.
_MAX_NEW_TOKENS = "max_new_tokens"


@contextmanager
def opened(file: OwnFile, options: ModelOptions, typed: Collection[str]) -> Iterator[OwnStaged | OwnCallable]:
    """Build the model of a file, and keep the modules it needs in place while it is used.

    Args:
        file: where it is.
        options: of the command; the function is given those that it has parameters for.
        typed: names of the options that a person gave.

    Raises:
        InputError: the file cannot be loaded, or its code fails, or what it returns is no model.
        UsageError: an option was given that the function does not take.
    """
    if not file.path.is_file():
        raise InputError(f"{file.path}: no such file")
    with _modules_of(file.path.resolve().parent), _blaming(file):
        build = getattr(_load(file.path), file.name, None)
        if not callable(build):
            raise InputError(f"{file.path}: it has no function {file.name}")
        arguments = _arguments(file, build, options, typed)
        yield adapt(build(**arguments), file.text, file.path.name, dtype=arguments.get("dtype", ""))


def called(file: OwnFile, *arguments: Any) -> Any:
    """What a function of a file returns, given these arguments.

    Raises:
        InputError: the file cannot be loaded, or its code fails.
    """
    if not file.path.is_file():
        raise InputError(f"{file.path}: no such file")
    with _modules_of(file.path.resolve().parent), _blaming(file):
        function = getattr(_load(file.path), file.name, None)
        if not callable(function):
            raise InputError(f"{file.path}: it has no function {file.name}")
        return function(*arguments)


@contextmanager
def _modules_of(folder: Path) -> Iterator[None]:
    """Take our `model` out of sight, put a folder first on the path, and undo both at the end."""
    path, before = list(sys.path), set(sys.modules)
    ours = _take_out()
    sys.path.insert(0, str(folder))
    invalidate_caches()
    try:
        yield
    finally:
        _take_out()
        for name in set(sys.modules) - before:
            if _is_own(str(getattr(sys.modules[name], "__file__", "")), str(folder)):
                del sys.modules[name]
        sys.modules.update(ours)
        sys.path[:] = path


def _take_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name == _OURS or name.startswith(f"{_OURS}.")]
    return {name: sys.modules.pop(name) for name in names}


def _load(path: Path) -> ModuleType:
    """Run a file as a module, under its own name unless that is taken."""
    name = path.stem if path.stem not in sys.modules else f"{path.stem}_of_{path.resolve().parent.name}"
    spec = spec_from_file_location(name, path.resolve())
    assert spec is not None and spec.loader is not None  # noqa: S101 -- its name ends in .py
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look for it there
    spec.loader.exec_module(module)
    return module


def _arguments(file: OwnFile, build: Any, options: ModelOptions, typed: Collection[str]) -> dict[str, Any]:
    """The options that the function has parameters for."""
    known = {field.name: getattr(options, field.name) for field in fields(options)}
    known[_MAX_NEW_TOKENS] = known.pop("new_tokens")
    known["size"] = known["size"] or None
    parameters = inspect.signature(build).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return known
    taken = {parameter.name for parameter in parameters} & set(known)
    # Whoever steps through the answer is told its length; others may still say where a decode window lies.
    if refused := sorted(set(typed) & (set(known) - taken - {_MAX_NEW_TOKENS})):
        option = refused[0].replace("_", "-")
        raise UsageError(f"--{option}: {file.text} has no parameter {refused[0]}")
    wanted = [
        parameter.name
        for parameter in parameters
        if parameter.name not in known
        and parameter.default is parameter.empty
        and parameter.kind is not parameter.VAR_POSITIONAL
    ]
    if wanted:
        raise InputError(f"{file.text}: its parameter {wanted[0]} is none of {', '.join(sorted(known))}")
    return {name: known[name] for name in taken}


@contextmanager
def _blaming(file: OwnFile) -> Iterator[None]:
    """Turn what somebody's code raises into one line that says where."""
    try:
        yield
    except (TracerError, ModelError, torch.OutOfMemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise InputError(_where(file, error)) from error


def _where(file: OwnFile, error: BaseException) -> str:
    """`my.py:12: in build: KeyError: 'pixels'`, by the innermost line that is in the file's folder."""
    folder = str(file.path.resolve().parent)
    said = " ".join(str(error).split())[:300] or "without a message"
    raised = f"{type(error).__name__}: {said}"
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename, folder)]
    if not frames:
        return f"{file.text}: {raised}"
    innermost = frames[-1]
    shown = file.path if Path(innermost.filename) == file.path.resolve() else innermost.filename
    return f"{shown}:{innermost.lineno}: in {innermost.name}: {raised}"


def _is_own(filename: str, folder: str) -> bool:
    """Whether a file is somebody's own: in the folder, and neither an installed package nor ours."""
    ours = Path(__file__).parents[1]
    return filename.startswith(folder) and "site-packages" not in filename and ours not in Path(filename).parents

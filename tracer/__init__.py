"""tracer: where a multimodal LLM's inference time goes, stage by stage and token by token.

For code of your own: `with tracer.request():` around each request, `with tracer.stage("vision"):` around its stages.
In a notebook: `run = tracer.load("run.json")`, then `run.stages`, `run.tokens`, `run.ops` as data frames.
"""

from __future__ import annotations

from tracer.version import __version__

TYPE_CHECKING = False  # typing itself takes longer to import than all of this

if TYPE_CHECKING:
    from tracer.loaded import load
    from tracer.staging import request, stage

__all__ = ["__version__", "load", "request", "stage"]

# Whose file each name is in: late, because every command of ours imports this package and few use these.
_FILES = {"load": "loaded", "request": "staging", "stage": "staging"}


def __getattr__(name: str) -> object:
    if name in _FILES:
        from importlib import import_module

        globals()[name] = getattr(import_module(f"tracer.{_FILES[name]}"), name)  # found by itself from now on
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

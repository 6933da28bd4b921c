"""tracer: where a multimodal LLM's inference time goes, stage by stage and token by token.

For code of your own: `with tracer.request():` around each request, `with tracer.stage("vision"):` around its stages.
"""

from __future__ import annotations

from tracer.version import __version__

TYPE_CHECKING = False  # typing itself takes longer to import than all of this

if TYPE_CHECKING:
    from tracer.staging import request, stage

__all__ = ["__version__", "request", "stage"]


def __getattr__(name: str) -> object:
    # Late, because every command of ours imports this package and few use the marks.
    if name in ("request", "stage"):
        from tracer import staging

        globals()[name] = getattr(staging, name)  # found without this function from now on
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

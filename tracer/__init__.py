"""tracer: where a multimodal LLM's inference time goes, stage by stage and token by token."""

from tracer.version import __version__

__all__ = ["__version__"]

"""What transformers calls a decoder's cache: `cache` from 5.24 on, which warns of `past_key_values`."""

from __future__ import annotations

from typing import Any

from transformers.modeling_outputs import CausalLMOutputWithPast

FORMER = "past_key_values"
NAME = "cache" if "cache" in CausalLMOutputWithPast.__dataclass_fields__ else FORMER


def given(cache: Any) -> dict[str, Any]:
    """The argument by which a network is given its cache."""
    return {NAME: cache}


def cache_of(output: Any) -> Any:
    """The cache in what a network returns."""
    return getattr(output, NAME)

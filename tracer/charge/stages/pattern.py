"""Stages by a person's regular expressions; who gives some asks no other source of names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracer.charge.stages.named import by_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.charge.stages.source import StageSource

# So many digits may not fit 64 bits.
INDEX_DIGITS = 19


def source_of(patterns: Mapping[str, str]) -> StageSource:
    """The source that these patterns make.

    Args:
        patterns: by stage; the first group, if any, is the token index.
    """
    compiled = [(stage, re.compile(pattern)) for stage, pattern in patterns.items()]

    def read(name: str) -> tuple[str, int | None] | None:
        for stage, pattern in compiled:
            if (match := pattern.search(name)) is not None:
                index = match[1] if pattern.groups else None
                return stage, int(index) if index and index.isdecimal() and len(index) < INDEX_DIGITS else None
        return None

    return by_name("pattern", 0, read)

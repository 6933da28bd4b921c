"""Finding the stages in a trace: every file of this folder with a `SOURCE` is asked, by rank."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

import tracer.charge.stages as folder
from tracer.charge.stages.pattern import needed, source_of
from tracer.charge.stages.ranges import StageRanges
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.charge.stages.source import StageSource
    from tracer.trace.columns import Trace


@cache
def sources() -> tuple[StageSource, ...]:
    """All that there are, in the order in which they are asked."""
    modules = [import_module(f"{folder.__name__}.{one.name}") for one in pkgutil.iter_modules(folder.__path__)]
    found: list[StageSource] = [module.SOURCE for module in modules if hasattr(module, "SOURCE")]
    return tuple(sorted(found, key=lambda source: (source.rank, source.markers)))


def find_stages(trace: Trace, patterns: Mapping[str, str] | None = None) -> StageRanges:
    """Read the stages out of a trace: of the first source that knows of any; else why none could be told, if one knows.

    Args:
        trace: read with what the sources need, as far as it is worth reading; see `missing_for_stages`.
        patterns: regular expressions of stage ranges, by stage. With them no markers but those count.
    """
    return _first(trace, _asked(patterns))


def marked_stages(trace: Trace, patterns: Mapping[str, str] | None = None) -> StageRanges:
    """The same without asking what only repeats, which takes longest."""
    return _first(trace, [source for source in _asked(patterns) if not source.last_resort])


def _first(trace: Trace, asked: Sequence[StageSource]) -> StageRanges:
    untold = StageRanges.none()
    for source in asked:
        ranges = source.find(trace)
        if ranges is None:
            continue
        if len(ranges):
            return ranges
        untold = ranges if untold.untold is None else untold
    return untold


def missing_for_stages(trace: Trace, patterns: Mapping[str, str] | None = None) -> Want:
    """What else to read of a trace in which no stages were found, as it was read so far; nothing where some were."""
    more = needed(trace, patterns) if patterns else Want(0)
    promising = [source for source in _asked(patterns) if source.promising(trace)]
    if not any(source.needs & ~Want.SUMMARY for source in promising):
        return more
    found = marked_stages(trace, patterns)
    if len(found):
        return more
    missing = more if found.untold is None else more | found.untold.needs
    for source in promising:
        missing |= source.needs
    return missing


def _asked(patterns: Mapping[str, str] | None) -> list[StageSource]:
    if not patterns:
        return list(sources())
    return [source_of(patterns), *(source for source in sources() if source.inferred)]

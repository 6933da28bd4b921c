"""A finding's reasoning, and what its rule found in a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.blocks import Block, Line, block, line
from reports.units import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.document.explained import Explained
    from tracer.document.summary import Finding


def blocks(explained: Explained) -> list[Block]:
    """All that is said; it loads nothing that reads documents, so that words alone are there at once."""
    return [one for one in (_reasoning(explained), _there(explained)) if one is not None]


def _reasoning(explained: Explained) -> Block | None:
    """When it is raised, why that matters, what to do."""
    said = (f"rule: {explained.rule}", f"why: {explained.reason}", f"do: {explained.next_step}")
    return block(explained.id, line(""), *map(line, said))


def _there(explained: Explained) -> Block | None:
    """What the rule found in the trace; None where it was not asked."""
    trace = explained.trace
    if trace is None:
        return None
    if explained.found is not None:
        own = explained.found.next_step
        return block(
            "", *_found(trace, explained.found), *([] if own == explained.next_step else [line(f"do there: {own}")])
        )
    why = [line(f"{trace}: {one.what} cannot be told: {one.because}") for one in explained.abstained]
    silent = f"{trace}: not found there; the rule is silent also where the trace cannot support it"
    return block("", *(why or [line(silent)]))


def _found(trace: str, found: Finding) -> Iterator[Line]:
    yield line(f"{trace}: {found.message}")
    yield line("evidence:")
    yield from (line(f"  {name} = {value}") for name, value in _flat(found.evidence))
    if found.gain is not None:
        gain = found.gain
        saved = f"up to {duration(gain.time_ns)} of {duration(gain.of_ns)} ({gain.of})"
        yield line(f"gain: {saved}, estimated: {gain.basis}")


def _flat(evidence: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested figures as dotted names."""
    for name, value in evidence.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value

"""Summaries from files: saved documents as they are, traces summarised."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from tracer.document.bounds import Count
from tracer.document.errors import InputError
from tracer.document.names import ALL_STAGES
from tracer.document.summary import Summary, decode
from tracer.summarize import Choices, summarize_file
from tracer.trace.source import BOM, Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A saved summary begins with its schema, as `tracer summarize --format json` writes it.
_HEAD = re.compile(rb'\s{0,64}\{\s{0,64}"schema"\s{0,64}:\s{0,64}"tracer\.([a-z]{1,40})/')
HEAD_BYTES = 512
AGAIN = "write it again with tracer summarize --format json"
# Of a million decode steps.
MOST_BYTES = 1 << 30
# Times that a double holds exactly, as everywhere in the document.
MOST_NS = 1 << 53


class _Run(msgspec.Struct):
    """What comparisons read of `run`, which is a plain mapping in the document."""

    model: str | None
    size: str | None
    dtype: str
    device: str | None
    visual_tokens: Count
    prompt_tokens: Count
    new_tokens: Count


def load_summary(path: str | Path, choices: Choices | None = None) -> Summary:
    """Read a saved summary, or summarise a trace; the content says which it is.

    A saved summary is read strictly: every key by its type, times and counts within what a trace can hold. It goes by
    its own path, not by that of the trace that it is about.

    Raises:
        InputError: it is neither, or a saved summary that is damaged or of another version.
        MissingError: it takes nsys to read it, and there is none.
    """
    with Source(path, (choices or Choices()).limits) as source:
        kind = _kind(source)
        if kind is not None:
            return _read(source, kind)
        if source.name != "standard input":
            return summarize_file(path, choices)
    # Standard input can be read once only.
    raise InputError(f"{source.name}: no saved summary; give a trace by its name")


def saved_summary(source: Source) -> Summary | None:
    """The saved summary in an open file, or None if it is something else.

    Raises:
        InputError: it is a saved summary that is damaged or of another version, or another saved document.
    """
    kind = _kind(source)
    return None if kind is None else _read(source, kind)


def _kind(source: Source) -> str | None:
    """Which document of ours it is, None of anything else."""
    kind = _HEAD.match(next(source.blocks(), b"")[:HEAD_BYTES].removeprefix(BOM))
    return None if kind is None else kind[1].decode()


def _read(source: Source, kind: str) -> Summary:
    if kind != "summary":
        raise InputError(f"{source.name}: a saved {kind}, not a summary or a trace")
    if source.size_bytes > MOST_BYTES:
        raise InputError(f"{source.name}: too large for a saved summary; give the trace itself")
    data = source.read_all().removeprefix(BOM)
    if source.damage is not None:
        raise InputError(f"{source.name}: damaged ({source.damage}); {AGAIN}")
    try:
        summary = decode(data)
        if summary.run is not None:
            msgspec.convert(summary.run, _Run)
        for what, number in _numbers(summary):
            if not 0 <= number <= MOST_NS:
                raise msgspec.ValidationError(f"{what} of {number:.4g}")
    except (ValueError, RecursionError, OverflowError) as error:  # msgspec's errors are ValueErrors
        reason = str(error) if isinstance(error, ValueError) else "a number or nesting out of range"
        raise InputError(
            f"{source.name}: not a summary as this version of tracer writes it ({reason}); {AGAIN}"
        ) from None
    return msgspec.structs.replace(summary, trace=msgspec.structs.replace(summary.trace, path=source.name))


def _numbers(summary: Summary) -> Iterator[tuple[str, Any]]:
    """The figures that comparisons and budgets reckon with."""
    for request in summary.requests:
        for name in request.stages_ns:
            if name not in ALL_STAGES:
                raise msgspec.ValidationError(f"an unknown stage {name[:40]!r}")
    latency = summary.latency
    if latency is not None:
        yield from latency.stages_ns.items()
        yield from (("request", latency.request_ns), ("ttft", latency.ttft_ns or 0), ("tpot", latency.tpot_ns or 0))
    for stage in summary.stages:
        known = (stage.calls, stage.busy_ns, stage.idle_ns, stage.cpu_ns, stage.runs, stage.wall_ns)
        yield from ((stage.stage, number) for number in known if number is not None)
        for kernel in stage.kernels or ():
            yield from (("a kernel's count", kernel.count), ("a kernel's time", kernel.time_ns))
    for token in summary.tokens:
        yield "a step", token.device_time_ns or 0

"""The decode steps: how long they take, what each asks of the device, how they grow and which stand out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Curve, Line, Piece, block, line, note
from reports.parts.words import kind, on_cpu
from reports.units import byte_count, counted, duration
from tracer.document.names import DECODE
from tracer.document.summary import PASSES

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Decoding, Summary, Token


def part(summary: Summary, asked: Asked) -> Block | None:
    """Percentiles over the steps, their course, and what the median step asks for."""
    tokens = summary.tokens
    if not tokens or not asked.shows(DECODE):
        return None
    passes = summary.trace.steps == PASSES
    # A step of a serving engine yields a token of each of its sequences.
    one = "pass" if passes else "token" if summary.serving is None else "step"
    on_device = any(token.ops or token.lost for token in tokens)
    times = [token.device_time_ns if on_device else token.cpu_ns for token in tokens]
    return block(
        "decode passes" if passes else f"decode {one}s",
        *_times([time_ns for time_ns in times if time_ns is not None], summary, on_device=on_device),
        None if on_cpu(summary) else line(f"a {one}: {_per_token(tokens)}"),
        *[line(sentence) for sentence in _course(summary.decoding, kind(summary))],
        note("pass: a forward pass, which may yield no token, or several; how many is not recorded.")
        if passes
        else None,
    )


def _times(times: list[int], summary: Summary, *, on_device: bool) -> list[Line | Curve]:
    """Percentiles and course of the steps whose time is known."""
    ordered = sorted(times)

    def rank(percent: int) -> str:
        return duration(ordered[max(0, -(-len(ordered) * percent // 100) - 1)])

    of = f"{kind(summary)} time" if on_device else "time on the host"
    if not times:
        return [line(Piece(_steps(summary), "strong"), f" · {of} unknown", role="caution")]
    unknown = len(summary.tokens) - len(times)
    several = len(times) > 1
    found: list[Line | Curve] = [
        line(
            Piece(_steps(summary), "strong"),
            f" · {of}{f' of the {len(times):,} whose work was recorded' if unknown else ''}",
            f" · p50 {rank(50)} · p90 {rank(90)} · p99 {rank(99)}" if several else f" {rank(50)}",
        )
    ]
    return [*found, _curve(times, summary, on_device=on_device)] if several else found


def _curve(times: list[int], summary: Summary, *, on_device: bool) -> Curve:
    """The steps whose time is known; the first and the last of these by number, where they are not those of all."""
    known = [token for token in summary.tokens if not on_device or token.device_time_ns is not None]
    since, until = ("" if summary.tokens[at] is known[at] else f"#{known[at].index}" for at in (0, -1))
    return Curve(times, duration(times[0]), duration(times[-1]), "decode", since or "first", until or "last")


def _steps(summary: Summary) -> str:
    """How many, and of how many."""
    count = len(summary.tokens)
    part = next((one for one in summary.coverage if one.stage == DECODE), None)
    one, several = ("pass", "passes") if summary.trace.steps == PASSES else ("step", "steps")
    return counted(count, one, several) if part is None else f"{count:,} of {part.of_runs:,} {several} recorded"


def _per_token(tokens: list[Token]) -> str:
    """What the median step asks of the host."""
    counts = [token.counts for token in tokens]

    def typical(values: list[int]) -> int:
        return sorted(values)[len(values) // 2]

    waits, wait_ns = typical([one.waits for one in counts]), typical([one.wait_ns for one in counts])
    graphs = typical([one.graphs for one in counts])
    kernels = [one.kernels for one in counts if one.kernels is not None]
    parts = [
        counted(typical([one.launches for one in counts]), "launch", "launches")
        + (f" ({counted(graphs, 'graph replay')})" if graphs else ""),
        *([counted(typical(kernels), "kernel")] if kernels else []),
        counted(waits, "wait for the device", "waits for the device") + (f" ({duration(wait_ns)})" if waits else ""),
    ]
    copied = (
        ([one.to_device_bytes for one in counts if one.to_device_bytes is not None], "to the device"),
        ([one.to_host_bytes for one in counts if one.to_host_bytes is not None], "to the host"),
    )
    parts += [f"{byte_count(count)} {where}" for known, where in copied if known and (count := typical(known))]
    return " · ".join(parts)


def _course(decoding: Decoding | None, of: str) -> list[str]:
    """How the steps grow, and which stand out."""
    if decoding is None:
        return []
    sentences = []
    if decoding.growth is not None:
        growth = decoding.growth
        low, high = duration(growth.low_ns), duration(growth.high_ns)
        between = f"(95 % interval {low} to {high})"
        if growth.low_ns > 0 and decoding.beyond_cache:
            text = f"{of} time grows by {duration(growth.ns)} a step {between}: more than the cache, so not by it alone"
        elif growth.low_ns > 0:
            text = f"{of} time grows by {duration(growth.ns)} per token of cache {between}"
        elif growth.high_ns < 0:
            text = f"{of} time falls by {duration(-growth.ns)} a step {between}, though the cache grows"
        else:
            text = f"{of} time does not grow measurably with the cache (95 % interval {low} to {high} per token)"
        sentences.append(text)
    if decoding.outliers:
        shown = [f"#{o.index} +{duration(o.excess_ns)} ({o.cause})" for o in decoding.outliers[:3]]
        more = f" and {len(decoding.outliers) - 3} more" if len(decoding.outliers) > 3 else ""
        sentences.append(f"steps that stand out: {', '.join(shown)}{more}")
    return sentences

"""Finding the stages in a trace: our own ranges, a serving engine's, or the user's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import Nest, distinct
from tracer.document.names import ALL_STAGES, DECODE, ENCODER, MIXED, PREFILL, REQUEST, parse_range

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracer.arrays import I64
    from tracer.trace.columns import Spans, Trace

# vLLM: execute_context_<n>(<tokens>)_generation_<m>(<tokens>), newer ones with the token count in front.
_VLLM = re.compile(r"execute_(?:\d+_)?context_(\d+)\([^()]*\)_generation_(\d+)\([^()]*\)")
# SGLang: step[EXTEND bs=1 toks=512], step[DECODE bs=32].
_SGLANG = re.compile(r"step\[(\w+)\b.*\]")
# So many digits may not fit 64 bits.
INDEX_DIGITS = 19
_SGLANG_MODES = {"EXTEND": PREFILL, "PREFILL": PREFILL, "DECODE": DECODE, "MIXED": MIXED}


@dataclass(frozen=True, slots=True)
class StageRanges:
    """The ranges that are stages, in the order of their start.

    Attributes:
        markers: whose they are.
        start_ns, end_ns, thread: where they lie.
        stage: index into ALL_STAGES.
        index: token index; -1 for stages without one.
        request: the request they belong to; -1 where the trace does not say.
        encoder_start_ns, encoder_end_ns, encoder_thread: the runs of the vision encoder, where marked.
    """

    markers: str
    start_ns: I64
    end_ns: I64
    thread: I64
    stage: I64
    index: I64
    request: I64
    encoder_start_ns: I64
    encoder_end_ns: I64
    encoder_thread: I64

    def __len__(self) -> int:
        return int(self.start_ns.shape[0])


def find_stages(trace: Trace, patterns: Mapping[str, str] | None = None) -> StageRanges:
    """Read the stages out of the trace's ranges.

    With `patterns`, stage by regular expression (its first group, if any, is the token index), only those
    count. Otherwise ours come first, then SGLang's, then vLLM's: the first that occur at all. Where none do, the
    calls of modules may tell the stages, if they were read.
    """
    names = [trace.strings[name] for name in distinct(trace.ranges.name)]
    for markers, read in _grammars(patterns):
        readings = {name: reading for name in names if (reading := read(name)) is not None}
        if any(stage in ALL_STAGES for stage, _ in readings.values()):
            return _collect(trace, markers, readings)
    from tracer.charge.stages.modules import stages_of_modules  # it needs the ranges' type from here

    return stages_of_modules(trace) or _collect(trace, "none", {})


def _grammars(
    patterns: Mapping[str, str] | None,
) -> Sequence[tuple[str, Callable[[str], tuple[str, int | None] | None]]]:
    if patterns:
        return [("pattern", _pattern_reader(patterns))]
    return [("tracer", parse_range), ("sglang", _read_sglang), ("vllm", _read_vllm)]


def _pattern_reader(patterns: Mapping[str, str]) -> Callable[[str], tuple[str, int | None] | None]:
    compiled = [(stage, re.compile(pattern)) for stage, pattern in patterns.items()]

    def read(name: str) -> tuple[str, int | None] | None:
        for stage, pattern in compiled:
            if (match := pattern.search(name)) is not None:
                index = match[1] if pattern.groups else None
                return stage, int(index) if index and index.isdecimal() and len(index) < INDEX_DIGITS else None
        return None

    return read


def _read_vllm(name: str) -> tuple[str, int | None] | None:
    match = _VLLM.fullmatch(name)
    if match is None:
        return None
    context, generation = match[1].strip("0"), match[2].strip("0")
    if context and generation:
        return MIXED, None
    return (PREFILL if context else DECODE), None


def _read_sglang(name: str) -> tuple[str, int | None] | None:
    match = _SGLANG.fullmatch(name)
    stage = _SGLANG_MODES.get(match[1]) if match else None
    return None if stage is None else (stage, None)


def _collect(trace: Trace, markers: str, readings: Mapping[str, tuple[str, int | None]]) -> StageRanges:
    ranges = trace.ranges
    code = np.full(len(trace.strings), -1, dtype=np.int64)
    index = np.full(len(trace.strings), -1, dtype=np.int64)
    kinds = (*ALL_STAGES, REQUEST, ENCODER)
    for position, name in enumerate(trace.strings):
        if name in readings:
            kind, number = readings[name]
            code[position] = kinds.index(kind)
            index[position] = -1 if number is None else number
    codes = code[ranges.name]
    requests = np.flatnonzero(codes == kinds.index(REQUEST))
    encoders = np.flatnonzero(codes == kinds.index(ENCODER))
    chosen = np.flatnonzero((codes >= 0) & (codes < len(ALL_STAGES)))
    chosen = chosen[np.lexsort((-ranges.end_ns[chosen], ranges.start_ns[chosen]))]
    stage, token = codes[chosen], index[ranges.name[chosen]]
    decoding = stage == ALL_STAGES.index(DECODE)
    if markers != "tracer":
        # A serving engine does not number its steps: take them in order.
        unnumbered = decoding & (token < 0)
        token = np.where(unnumbered, np.cumsum(unnumbered) - 1, token)
    enclosing = _enclosing(ranges, requests, chosen)
    request = np.where(enclosing >= 0, index[ranges.name[enclosing]], -1)
    return StageRanges(
        markers=markers,
        start_ns=ranges.start_ns[chosen],
        end_ns=ranges.end_ns[chosen],
        thread=int64(ranges.thread[chosen]),
        stage=int64(stage),
        index=int64(token),
        request=int64(request),
        encoder_start_ns=ranges.start_ns[encoders],
        encoder_end_ns=ranges.end_ns[encoders],
        encoder_thread=int64(ranges.thread[encoders]),
    )


def _enclosing(ranges: Spans, outer: I64, inner: I64) -> I64:
    """For each range of `inner`, the innermost of `outer` that holds its start on its thread, or -1."""
    found = np.full(len(inner), -1, dtype=np.int64)
    for thread in distinct(ranges.thread[outer]):
        holders = outer[ranges.thread[outer] == thread]
        asked = np.flatnonzero(ranges.thread[inner] == thread)
        nest = Nest.of(ranges.start_ns[holders], ranges.end_ns[holders])
        place = nest.innermost(ranges.start_ns[inner[asked]])
        found[asked] = np.where(place >= 0, holders[place], -1)
    return found

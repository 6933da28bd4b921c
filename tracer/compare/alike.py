"""Whether requests were asked for the same, so that their latencies may be compared."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tracer.document.names import DECODE, REQUEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.summary import RequestLatency, Summary

# What takes longer for a longer answer. Of these, figures per token are compared.
BY_LENGTH = frozenset({DECODE, REQUEST})


def same_lengths(before: Sequence[RequestLatency], after: Sequence[RequestLatency]) -> bool:
    """Whether answers are of the same lengths in the same proportion; sample by sample where both have the same."""
    names = [{request.sample_name for request in run} for run in (before, after)]
    return _lengths(before, names[0] == names[1]) == _lengths(after, names[0] == names[1])


def same_length(before: Summary, after: Summary) -> bool:
    """The same of runs whose requests are not known one by one."""
    lengths = [(summary.run or {}).get("new_tokens") for summary in (before, after)]
    return None in lengths or lengths[0] == lengths[1]


def _lengths(requests: Sequence[RequestLatency], by_sample: bool) -> dict[str, dict[int, float]]:
    samples: dict[str, Counter[int]] = {}
    for request in requests:
        name = request.sample_name if by_sample else ""
        # Rounds of speculative decoding yield several tokens each: their number is no length.
        length = request.later_tokens + 1 if request.decode_ns else request.new_tokens
        samples.setdefault(name, Counter())[length] += 1
    return {
        name: {length: count / counts.total() for length, count in counts.items()} for name, counts in samples.items()
    }

"""Stages by a person's regular expressions; who gives some asks no other source of names.

They are looked for among the ranges. Profilers of 2021 kept ranges with the operators (`Operator`, later `cpu_op`), so
what no range matches is looked for there.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int32, int64
from tracer.charge.intervals import distinct
from tracer.charge.stages.named import by_name
from tracer.document.errors import InputError
from tracer.trace.columns import Spans, Want

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.stages.source import StageSource
    from tracer.trace.columns import Trace

# So many digits may not fit 64 bits.
INDEX_DIGITS = 19
# Names that an error may propose, how much of each, how many are looked through, and how like they must be.
PROPOSED, SHOWN_CHARACTERS, LOOKED_THROUGH, ALIKE = 3, 60, 2000, 0.6
_NO_LETTER = re.compile(r"\\.|[\W_]+")


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

    source = by_name("pattern", 0, read)

    def find(trace: Trace) -> StageRanges | None:
        return source.find(_with_operators(trace, patterns))

    return replace(source, find=find)


def unmatched(trace: Trace, spans: Spans, patterns: Mapping[str, str]) -> list[str]:
    """The stages whose pattern no name of these spans matches."""
    names = [trace.strings[name] for name in distinct(spans.name)]
    return [stage for stage, pattern in patterns.items() if not any(map(re.compile(pattern).search, names))]


def needed(trace: Trace, patterns: Mapping[str, str]) -> Want:
    """What else to read of a trace: its operators, where a range for some pattern is missing."""
    return Want.CPU_OPS if trace.format == "chrome" and unmatched(trace, trace.ranges, patterns) else Want(0)


def _with_operators(trace: Trace, patterns: Mapping[str, str]) -> Trace:
    """The trace with those operators among its ranges whose pattern no range matches."""
    missing = [re.compile(patterns[stage]) for stage in unmatched(trace, trace.ranges, patterns)]
    if not missing or not len(trace.cpu_ops):
        return trace
    names = [name for name in distinct(trace.cpu_ops.name) if any(one.search(trace.strings[name]) for one in missing)]
    ranges, operators = trace.ranges, trace.cpu_ops[np.isin(trace.cpu_ops.name, int64(names))]
    joined = Spans(
        start_ns=np.concatenate([ranges.start_ns, operators.start_ns]),
        end_ns=np.concatenate([ranges.end_ns, operators.end_ns]),
        name=int32(np.concatenate([ranges.name, operators.name])),
        thread=int32(np.concatenate([ranges.thread, operators.thread])),
    )
    return replace(trace, ranges=joined)


def require_matches(trace: Trace, patterns: Mapping[str, str]) -> None:
    """Refuse patterns that match nothing: they were mistyped, or are for another file.

    Args:
        trace: read with what `needed` says.
        patterns: by stage.

    Raises:
        InputError: there is one; with the nearest names.
    """
    neither = [
        stage
        for stage in unmatched(trace, trace.ranges, patterns)
        if unmatched(trace, trace.cpu_ops, {stage: patterns[stage]})
    ]
    if not neither:
        return
    stage = neither[0]
    asked = f"--marker {stage}={patterns[stage]}"
    raise InputError(f"{trace.path}: {_shown(asked)} matches no range; {_near(trace, patterns[stage])}")


def _near(trace: Trace, pattern: str) -> str:
    """The names of ranges that are most like a pattern; without any, those that occur most."""
    spans = trace.ranges if len(trace.ranges) else trace.cpu_ops
    often = Counter(spans.name.tolist()).most_common(LOOKED_THROUGH)
    names = [trace.strings[name] for name, _ in often]
    if not names:
        return "it has no ranges at all (torch.profiler.record_function, NVTX)"
    scores = {name: _likeness(pattern, name) for name in names}
    near = sorted((name for name in names if scores[name] >= ALIKE), key=lambda name: -scores[name])
    listed = ", ".join(repr(_shown(name)) for name in (near or names)[:PROPOSED])
    if not near:
        return f"it has {listed}" + (f" and {len(names) - PROPOSED:,} more" if len(names) > PROPOSED else "")
    return f"the nearest {'is' if len(near) == 1 else 'are'} {listed}"


def _likeness(pattern: str, name: str) -> float:
    """How much of the letters of a pattern a name has in their order, 0 to 1; of equals the shorter name is nearer."""
    from difflib import SequenceMatcher

    wanted, found = (_NO_LETTER.sub("", text[:LOOKED_THROUGH]).lower() for text in (pattern, name[:SHOWN_CHARACTERS]))
    if not wanted or not found:
        return 0.0
    matcher = SequenceMatcher(None, wanted, found, autojunk=False)
    held = sum(block.size for block in matcher.get_matching_blocks() if block.size > 1 or len(wanted) == 1)
    return held / len(wanted) * (0.9 + 0.1 * matcher.ratio())


def _shown(text: str) -> str:
    """A text from a file or a person in one line that steers no terminal."""
    short = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
    return "".join(letter if letter.isprintable() else "?" for letter in short)

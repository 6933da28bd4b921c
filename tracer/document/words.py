"""How messages word stages, ratios and times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import DECODE, PREFILL

if TYPE_CHECKING:
    from collections.abc import Sequence

# Why nothing is said of idle time where a device's clock is off, and what to do.
CLOCK = "the device's clock is off against the host's: ops begin before their own launch, or end behind a wait for them"
OTHER_CLOCK = "record again; if it stays so, update the driver and the profiler"
LLM_STAGES = (PREFILL, DECODE)


def title(stage: str) -> str:
    """A stage in a sentence."""
    return f"LLM {stage}" if stage in LLM_STAGES else stage


def whose(stage: str) -> str:
    """A stage's something, or "the" where there is none."""
    return f"{title(stage)}'s" if stage else "the"


def runs_of(stage: str) -> str:
    """What the runs of a stage are called."""
    return "decode steps" if stage == DECODE else f"runs of {stage}"


def counted(count: int, one: str, several: str = "") -> str:
    """So many of something: 1 launch, 1,024 launches, 3 kernels."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: vision; vision and prefill; vision, prefill and decode."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def unended(count: int) -> str:
    """That so many ranges of a trace have no end."""
    have = counted(count, "range has", "ranges have")
    return f"{have} no end and {'was' if count == 1 else 'were'} taken to run to the end of the trace"


def times(ratio: float) -> str:
    """A ratio: 1.7 x, 40 x."""
    return f"{ratio:.0f} x" if ratio >= 10 else f"{ratio:.1f} x"


def duration(time_ns: float) -> str:
    """Two digits behind the point and a unit that fits."""
    for scale, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if abs(time_ns) >= scale:
            return f"{time_ns / scale:.2f} {unit}"
    return f"{time_ns:.0f} ns"


def tie_said(margin: object, rounding: object) -> str:
    """That tokens which differ are ties within rounding, by how far logits lie apart; "" where nobody measured that."""
    if not isinstance(margin, float) or not isinstance(rounding, float):
        return ""
    return (
        f": ties within rounding (at most {margin:.3g} below the likeliest in logits that passes over one token and "
        f"over several give up to {rounding:.3g} apart)"
    )

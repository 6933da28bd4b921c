"""Rounds of speculative decoding as bars: what drafting, mapping and checking took, beside the target alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.page.bars import bar_chart, bar_rect, bar_row
from reports.parts.speculation import round_name
from reports.units import counted, duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.page.shown import Shown
    from tracer.document.summary import Round, Speculation

MOST = 24
PARTS = (("draft", "drafting"), ("map", "mapping"), ("verify", "verifying"))
NOTE = (
    "Busy and idle time as charged, in the trace, under the profiler. The target alone: its median step for each token "
    "that the rounds yielded, a round on average."
)


def round_bars(file: Shown) -> str:
    """A row a round, on average, and of the target alone; "" without rounds whose time is known."""
    found = file.summary.speculation
    if found is None:
        return ""
    timed = [one for one in found.each if not one.prompt and one.took_ns is not None]
    longest = max([*(one.took_ns or 0 for one in timed), _alone_ns(found) or 0], default=0)
    if not longest:
        return ""
    drawn = [_row(f"round {round_name(found, one)}", _times(one), longest, _tokens(one)) for one in timed[:MOST]]
    if found.took_ns is not None and found.timed_rounds:
        mean = [None if time_ns is None else time_ns / found.timed_rounds for time_ns in _times(found)]
        drawn.append(_row("on average", mean, longest, ""))
    if found.clean_took_ns is not None and found.timed_rounds:
        clean_ns = found.clean_took_ns / found.timed_rounds
        drawn.append(
            bar_row("no profiler", "", bar_rect(0, clean_ns, longest, "fill request"), duration(clean_ns), "a round")
        )
    if (alone_ns := _alone_ns(found)) is not None:
        more = "a round's tokens" if found.clean_took_ns is None else "a round's tokens, without a profiler"
        drawn.append(
            bar_row("target alone", "", bar_rect(0, alone_ns, longest, "fill request"), duration(alone_ns), more)
        )
    keys = "".join(f'<span class="key of-{stage}">{words}</span>' for stage, words in PARTS)
    left_out = f" The first {MOST} of {counted(len(timed), 'round')} are drawn." if len(timed) > MOST else ""
    return bar_chart("What each round took", drawn, f'<p class="legend">{keys}</p>', NOTE + left_out)


def _alone_ns(found: Speculation) -> float | None:
    return (
        None if found.target_alone_ns is None or not found.timed_rounds else found.target_alone_ns / found.timed_rounds
    )


def _times(of: Round | Speculation) -> list[int | None]:
    return [of.draft_ns, of.map_ns, of.verify_ns]


def _tokens(one: Round) -> str:
    if one.drafted is None:
        return ""
    accepted = "an unknown number" if one.accepted is None else f"{one.accepted:,}"
    return f"{accepted} of {one.drafted:,} accepted"


def _row(label: str, taken: Sequence[float | None], longest: float, more: str) -> str:
    pieces, place = [], 0.0
    for (stage, words), time_ns in zip(PARTS, taken, strict=True):
        if time_ns:
            pieces.append(bar_rect(place, time_ns, longest, f"fill stage-{stage}", f"{words} {duration(time_ns)}"))
            place += time_ns
    return bar_row(label, "", "".join(pieces), duration(place), more)

"""What stands on a page, from top to bottom: of each section the parts of the reports, and what is drawn beside them.

Every part of the one list in `reports.document` is on the page: those that no section names come last, together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UNSET

from reports.asked import Asked
from reports.document import SUMMARY
from reports.page.bars import device_bars, latency_bars
from reports.page.found import finding_cards
from reports.page.held import has_memory_or_energy, memory_and_energy
from reports.page.notes import IDLE_UNKNOWN, KERNELS, KERNELS_LOST, ROOFLINE, timeline_note, tokens_note
from reports.page.rounds import round_bars
from reports.page.swept import sweep_grid
from reports.parts import (
    abstained,
    categories,
    decode_steps,
    drafting,
    energy,
    findings,
    first,
    footprint,
    header,
    host,
    idle,
    joint,
    kernels,
    latency,
    limits,
    memory,
    roles,
    speculation,
    stages,
    warnings,
)
from reports.render import html

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from reports.blocks import Block
    from reports.page.shown import Shown
    from tracer.document.summary import Summary

    Part: TypeAlias = Callable[[Summary, Asked], Block | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section.

    Attributes:
        id: in addresses.
        title: its heading, and what a link to it says.
        drawn: what is drawn of a file; "" where there is nothing to draw.
        parts: that stand below.
        has: whether a file has it at all; else nothing leads to it.
    """

    id: str
    title: str
    drawn: Callable[[Shown], str]
    parts: tuple[Part, ...] = ()
    has: Callable[[Summary], bool] = lambda _: True


def _time(file: Shown) -> str:
    return latency_bars([file]) + device_bars(file)


def _place(kind: str, file: Shown, label: str) -> str:
    return f'<div class="{kind}" data-run="{file.number}" role="group" aria-label="{label}"></div>'


def _timeline(file: Shown) -> str:
    if file.timeline is None:
        return (
            "<p>A saved summary has no timeline: give the trace that it was made of, and this page draws every kernel, "
            "its launch, and why the device waited.</p>"
        )
    if not file.timeline.tracks:
        return "<p>Nothing that was read of this file has a time.</p>"
    lost = "" if file.summary.lost is UNSET else f'<p class="caution">{html.escape(IDLE_UNKNOWN)}</p>'
    return lost + _place("timeline", file, "timeline") + html.note(timeline_note(file.timeline))


def _tokens(file: Shown) -> str:
    if not any(token.busy_ns is not None for token in file.summary.tokens):
        return ""
    return _place("tokens", file, "decode steps") + html.note(tokens_note(file.summary))


def _roofline(file: Shown) -> str:
    roof = file.summary.roofline
    known = (
        roof is not None
        and roof.peak_tflops
        and roof.peak_gbs
        and any(row.intensity and not row.error for row in roof.stages)
    )
    return _place("roofline", file, "roofline") + html.note(ROOFLINE) if known else ""


def _kernels(file: Shown) -> str:
    timeline = file.timeline
    if not file.summary.device.ops:
        return ""
    rest = "" if timeline is None or not timeline.kernels_left_out[0] else _left_out(*timeline.kernels_left_out)
    lost = "" if file.summary.lost is UNSET else f'<p class="caution">{html.escape(KERNELS_LOST)}</p>'
    return lost + _place("kernels", file, "kernels") + rest + html.note(KERNELS)


def _left_out(rows: int, time_ns: int) -> str:
    from reports.units import counted, duration

    return f"<p>{counted(rows, 'row')} with less time ({duration(time_ns)} in all) left out.</p>"


SECTIONS = (
    Section(
        id="findings",
        title="Findings",
        drawn=lambda file: blocks_of((first.again,), file) + finding_cards(file),
        parts=(abstained.part,),
    ),
    Section(
        id="time",
        title="Where the time goes",
        drawn=_time,
        parts=(latency.part, stages.part, stages.reading, idle.part, host.part),
    ),
    Section(
        id="rounds",
        title="Models that work together",
        drawn=lambda file: round_bars(file) + sweep_grid(file),
        parts=(speculation.part, drafting.part, joint.part, roles.part),
        has=lambda summary: bool(summary.speculation or summary.drafting or summary.joint or summary.roles),
    ),
    Section(id="timeline", title="Timeline", drawn=_timeline),
    Section(id="tokens", title="Step by step", drawn=_tokens, parts=(decode_steps.part,)),
    Section(id="roofline", title="Limits", drawn=_roofline, parts=(limits.part,)),
    Section(id="kernels", title="Kernels", drawn=_kernels, parts=(categories.part,)),
    Section(
        id="memory",
        title="Memory and energy",
        drawn=memory_and_energy,
        has=has_memory_or_energy,
        parts=(footprint.part, memory.part, energy.part),
    ),
)
# Stand in front of the sections, the first two, or are drawn otherwise: as cards, as a table.
ELSEWHERE = (header.part, warnings.part, findings.part, first.part, kernels.part)


def rest() -> tuple[Part, ...]:
    """The parts of every report that no section names."""
    named = [*ELSEWHERE, *(part for section in SECTIONS for part in section.parts)]
    return tuple(part for part in SUMMARY if part not in named)


def blocks_of(parts: tuple[Part, ...], file: Shown) -> str:
    """Parts as HTML."""
    asked = Asked(saved=file.timeline is None)
    found = [part(file.summary, asked) for part in parts]
    return "".join(html.block(block) for block in found if block is not None)

"""The page on the ranks of one run: who waits for whom, where, and what of it is transfer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.document import RANKS
from reports.page.found import NOTHING, cards
from reports.page.frame import PLAIN_SCRIPTS, framed
from reports.page.ranks_drawn import bandwidth_bars, exposed_bars, step_bars, waiting_bars
from reports.parts.ranks import bandwidth, found, run, stages, steps, stragglers
from reports.render import html
from reports.units import counted, duration, share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from reports.blocks import Block
    from tracer.document.ranks import Ranks

    Part: TypeAlias = Callable[[Ranks], Block | None]

# Stand in front of the sections, or are drawn otherwise: as cards.
HEAD = (run.part, run.requests, found.warnings)
ELSEWHERE = (found.findings,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section: what is drawn of the ranks, and the parts of the report below it."""

    id: str
    title: str
    drawn: Callable[[Ranks], str]
    parts: tuple[Part, ...]


def _findings(ranks: Ranks) -> str:
    ids = [f"finding-{number}" for number in range(len(ranks.findings))]
    return cards(ranks.findings, ids, [""] * len(ids)) or NOTHING


SECTIONS = (
    Section(id="findings", title="Findings", drawn=_findings, parts=(found.abstained,)),
    Section(id="waiting", title="Who waits", drawn=waiting_bars, parts=(stragglers.part, stages.part)),
    Section(id="steps", title="Step by step", drawn=step_bars, parts=(steps.part,)),
    Section(id="exposed", title="What nothing hides", drawn=exposed_bars, parts=()),
    Section(id="bandwidth", title="Collectives by size", drawn=bandwidth_bars, parts=(bandwidth.part,)),
)


def render(ranks: Ranks) -> str:
    """The page's text."""
    shown = [(section, drawn) for section in SECTIONS if (drawn := _within(section, ranks))]
    links = "".join(f'<a href="#{section.id}">{section.title}</a>' for section, _ in shown)
    rest = _blocks(_rest(), ranks)
    within = "".join(
        f'<section id="{section.id}" class="part"><h2>{section.title}</h2>{drawn}</section>\n'
        for section, drawn in [*shown, *([(_MORE, rest)] if rest else [])]
    )
    title = f"{counted(len(ranks.ranks), 'rank')} of one run"
    head = (
        f'<section class="head" id="head"><h1>{html.escape(title)}</h1>{_blocks(HEAD, ranks)}{_tiles(ranks)}</section>'
    )
    return framed(title, links, head + within, scripts=PLAIN_SCRIPTS)


_MORE = Section(id="more", title="More", drawn=lambda _: "", parts=())


def _within(section: Section, ranks: Ranks) -> str:
    return section.drawn(ranks) + _blocks(section.parts, ranks)


def _rest() -> tuple[Part, ...]:
    """The parts of the report that no section names."""
    named = [*HEAD, *ELSEWHERE, *(part for section in SECTIONS for part in section.parts)]
    return tuple(part for part in RANKS if part not in named)


def _blocks(parts: tuple[Part, ...], ranks: Ranks) -> str:
    return "".join(html.block(block) for part in parts if (block := part(ranks)) is not None)


def _tiles(ranks: Ranks) -> str:
    drawn = "".join(
        f'<div class="tile"><dt>{html.escape(what)}</dt><dd>{html.escape(value)}</dd>'
        f'<dd class="more">{html.escape(more)}</dd></div>'
        for what, value, more in _figures(ranks)
    )
    return f'<dl class="tiles">{drawn}</dl>' if drawn else ""


def _figures(ranks: Ranks) -> Iterator[tuple[str, str, str]]:
    rows = [row for rank in ranks.ranks for row in rank.stages]
    known = not any(row.lost for row in rows)
    device_ns, wait_ns = sum(row.device_time_ns or 0 for row in rows), sum(row.wait_ns or 0 for row in rows)
    if ranks.matched:
        if ranks.stragglers:
            first = ranks.stragglers[0]
            late = f"{first.cause}, {duration(first.pass_ns)} in a run of {first.stage or stragglers.OUTSIDE}"
            yield "the others wait for", f"rank {first.rank}", late
        else:
            yield "the others wait for", "no rank alone", "in most runs of a stage"
        waited = share(wait_ns, device_ns) if known else stragglers.UNKNOWN
        yield "waiting in collectives", waited, "of all ranks' device time"
    whole = max(ranks.requests, key=lambda one: one.time_ns, default=None)
    if whole is not None and whole.time_ns:
        name = "longest request" if len(ranks.requests) > 1 else "request" if whole.request >= 0 else "the traces"
        yield name, duration(whole.time_ns), f"slowest rank without waiting {duration(whole.without_waiting_ns)}"
    exposed_ns, collective_ns = (sum(row.exposed_ns or 0 for row in rows), sum(row.collective_ns or 0 for row in rows))
    if collective_ns and known:
        yield "collectives exposed", share(exposed_ns, collective_ns), "while nothing else ran on the device"

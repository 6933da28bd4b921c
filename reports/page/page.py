"""The page on one trace, or on several beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.page import sections
from reports.page.bars import latency_bars, letter
from reports.page.data import as_columns, as_json
from reports.page.figures import tiles
from reports.page.frame import SCRIPTS, framed
from reports.page.shown import Page
from reports.render import html
from reports.units import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.blocks import Block
    from reports.page.shown import Shown

WITHOUT_SCRIPT = (
    "<noscript><p>The timeline, the charts and the table of kernels are drawn by a script of this page alone; all "
    "figures above stand without it.</p></noscript>\n"
)


def render(page: Page, compared: Sequence[Block] = ()) -> str:
    """The page's text.

    Args:
        page: what it shows.
        compared: the report on the comparison, where there is one.
    """
    return framed(
        " · ".join(map(_title, page.files)),
        _links(page),
        f"{_compared(page, compared)}{''.join(_file(file, page) for file in page.files)}",
        scripts=SCRIPTS,
        data=as_json(page.files),
        more=f"{WITHOUT_SCRIPT}{''.join(map(_columns, page.files))}",
    )


def _title(file: Shown) -> str:
    """The run in a few words: its model, else its file."""
    run = file.summary.run or {}
    named = " ".join(str(run[key]) for key in ("model", "size") if run.get(key))
    return named or _file_name(file)


def _file_name(file: Shown) -> str:
    return printable(file.summary.trace.path.rpartition("/")[2])


def _links(page: Page) -> str:
    links = "".join(
        f'<a href="#{page.files[0].id(section.id)}" data-section="{section.id}">{section.title}</a>'
        for section in sections.SECTIONS
        if section.has(page.files[0].summary)
    )
    return ('<a href="#comparison">Comparison</a>' if page.comparison is not None else "") + links


def _compared(page: Page, compared: Sequence[Block]) -> str:
    if page.comparison is None:
        return ""
    titles = list(map(_title, page.files))
    if len(set(titles)) < len(titles):
        titles = list(map(_file_name, page.files))
    tabs = "".join(
        f'<button type="button" data-run="{file.number}" aria-pressed="{"true" if file.number == 0 else "false"}">'
        f"{letter(file.number)} · {html.name(title)}</button>"
        for file, title in zip(page.files, titles, strict=True)
    )
    return (
        f'<section id="comparison"><h2>Comparison</h2>{latency_bars(page.files)}'
        f"{''.join(map(html.block, compared))}</section>\n"
        f'<nav class="runs" aria-label="files">{tabs}</nav>\n'
    )


def _file(file: Shown, page: Page) -> str:
    several = f'<p class="which">{letter(file.number)}</p>' if len(page.files) > 1 else ""
    head = sections.blocks_of(sections.ELSEWHERE[:2], file)
    shown = "".join(_section(section, file) for section in sections.SECTIONS)
    rest = sections.blocks_of(sections.rest(), file)
    more = f'<section id="{file.id("more")}"><h2>More</h2>{rest}</section>' if rest else ""
    return (
        f'<article class="run" data-run="{file.number}">{several}'
        f'<section class="head" id="{file.id("head")}"><h1>{html.name(_title(file))}</h1>'
        f"{head}{tiles(file.summary)}</section>"
        f"{shown}{more}</article>\n"
    )


def _section(section: sections.Section, file: Shown) -> str:
    within = section.drawn(file) + sections.blocks_of(section.parts, file)
    if not within:
        return ""
    return f'<section id="{file.id(section.id)}" class="part"><h2>{section.title}</h2>{within}</section>\n'


def _columns(file: Shown) -> str:
    if file.timeline is None:
        return ""
    packed = as_columns(file.timeline)
    return f'<script type="application/octet-stream" id="columns-{file.number}">{packed}</script>\n'

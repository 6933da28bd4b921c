"""Joules by stage, token and request, and how the device was meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Caution, Column, Line, Row, Table, block, line, note
from reports.palette import NONE
from reports.units import duration, share, significant
from tracer.document.summary import Energy

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import DeviceCondition, Joules, StageEnergy, Summary


def part(summary: Summary, asked: Asked) -> Block | None:
    """What a token and a request cost, a row a stage, and clocks and heat."""
    found = summary.energy
    if not isinstance(found, Energy):
        return None
    whole = next((one.joules for one in found.stages if one.stage == "request"), None)
    rows = [_row(one, whole) for one in found.stages if one.stage == "request" or asked.shows(one.stage)]
    columns = [
        Column("stage", right=False),
        Column("energy"),
        Column("from – to", rank=2),
        Column("share"),
        Column("above idle", rank=1),
        Column("power"),
        Column("a run", rank=3),
        Column("repeats", rank=4),
    ]
    return block(
        "energy of the device",
        _headline(found),
        Table(columns, rows) if rows else None,
        note(
            f"Of one request, by {found.source}'s counter, which changes every {duration(found.update_ns)}. Each stage "
            "is repeated by itself, begun on an idle device, until its energy is known to 3 %; decode steps are those "
            "of whole answers, and the request is measured by itself.",
            "per token: decoding's, for each token of each sequence. share: of the request's, to which stages measured "
            "by themselves need not add up. above idle: without what the device uses anyway; a dash where the counter "
            "does not tell it from nothing.",
        ),
        _conditions(found),
        *[Caution(text) for text in found.warnings],
    )


def _headline(found: Energy) -> Line | None:
    said = []
    if found.per_token is not None:
        said.append(f"{joules(found.per_token.joules)} per token")
    if found.per_request is not None:
        said.append(f"{joules(found.per_request.joules)} per request")
    if found.idle_watts is not None:
        said.append(f"{significant(found.idle_watts)} W with nothing to do")
    return line(" · ".join(said), role="strong") if said else None


def joules(value: float) -> str:
    """Three significant digits with a unit: 512 µJ, 45.6 mJ, 1.23 J, 4.56 kJ."""
    for scale, unit in ((1e3, "kJ"), (1, "J"), (1e-3, "mJ")):
        if value >= scale * 0.9995:
            return f"{significant(value / scale)} {unit}"
    return f"{value * 1e6:.0f} µJ"


def bounds(found: Joules | StageEnergy) -> str:
    """The interval, or a dash."""
    return NONE if found.interval is None else f"{joules(found.interval[0])} – {joules(found.interval[1])}"


def _row(one: StageEnergy, whole: float | None) -> Row:
    if one.joules is None:
        return Row([one.stage, "unknown", NONE, NONE, NONE, NONE, duration(one.run_ns), f"{one.repeats:,}"], "caution")
    above = NONE if one.above_idle_joules is None else joules(one.above_idle_joules)
    power = NONE if one.watts is None else f"{significant(one.watts)} W"
    of = share(one.joules, whole) if whole and one.stage != "request" else ""
    return Row([one.stage, joules(one.joules), bounds(one), of, above, power, duration(one.run_ns), f"{one.repeats:,}"])


def _conditions(found: Energy) -> Line | None:
    """Clocks and heat of the passes, and what held clocks back."""
    shown = [said for one in found.conditions if one.during in ("clean", "profiled", "decode") and (said := _said(one))]
    return line(" · ".join(shown)) if shown else None


def _said(one: DeviceCondition) -> str:
    parts = []
    if one.sm_mhz is not None:
        parts.append(f"{one.sm_mhz:,.0f} MHz")
        if one.least_sm_mhz is not None and one.least_sm_mhz < one.sm_mhz * 0.99:
            parts.append(f"at least {one.least_sm_mhz:,}")
    if one.celsius is not None:
        parts.append(f"up to {one.celsius} °C")
    if one.limited_by:
        parts.append(f"limited by {', '.join(one.limited_by)}")
    return f"{one.during}: {', '.join(parts)}" if parts else ""

"""The findings on a page: what, what it would gain, what it rests on, and where the timeline shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.parts.abstained import FINDING
from reports.render.html import SEVERITIES, escape, name
from reports.units import duration, share
from tracer.document.summary import UNREAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.page.shown import Shown
    from tracer.document.summary import Finding, Gain, Summary
    from tracer.document.timeline import Place

# Of evidence: how deep, and how many entries of a list, are spelled out.
DEEPEST, MOST_ENTRIES = 4, 40
NOTHING = "<p>Nothing stands out.</p>"


def finding_cards(file: Shown) -> str:
    """A card for each finding."""
    found = file.summary.findings
    places = file.timeline.places if file.timeline is not None else [None] * len(found)
    links = [_link(file, number, place) for number, place in enumerate(places)]
    return cards(found, [file.id(f"finding-{number}") for number in range(len(found))], links) or _none(file.summary)


def _none(summary: Summary) -> str:
    """That nothing was found, of what could be asked."""
    unasked = [one.what for one in summary.abstained]
    if UNREAD in unasked:
        return "<p>Its work was not read, so nothing is known of it.</p>"
    if any(what.startswith(FINDING) for what in unasked):
        return "<p>Of what could be asked nothing stands out.</p>"
    return NOTHING


def cards(findings: Sequence[Finding], ids: Sequence[str], links: Sequence[str]) -> str:
    """A card for each finding, "" without any: with its id in addresses, and what leads to where it shows, as HTML."""
    drawn = [_card(*one) for one in zip(findings, ids, links, strict=True)]
    return f'<ol class="cards">{"".join(drawn)}</ol>' if drawn else ""


def _card(finding: Finding, own_id: str, link: str) -> str:
    kind = finding.severity if finding.severity in SEVERITIES else "info"
    said = finding.next_step if finding.gain is not None or finding.severity != "info" else ""
    rows = [*_evidence(finding.evidence), ("rule", finding.rule)]
    evidence = "".join(f"<dt>{escape(key)}</dt><dd>{name(value)}</dd>" for key, value in rows if value)
    return (
        f'<li class="finding {kind}" id="{own_id}">'
        f'<p class="said"><span class="mark" aria-label="{kind}">{SEVERITIES[kind]}</span> '
        f"{escape(finding.message)}</p>"
        f"{_gain(finding.gain)}"
        f"{_advice(said)}"
        f'<p class="links"><code>{escape(finding.id)}</code>{link}</p>'
        f'<details class="evidence"><summary>evidence</summary><dl>{evidence}</dl></details></li>'
    )


def _advice(said: str) -> str:
    return f'<p class="advice">{escape(said)}</p>' if said else ""


def _gain(gain: Gain | None) -> str:
    if gain is None or not gain.of_ns:
        return ""
    part = min(1.0, max(0.0, gain.time_ns / gain.of_ns))
    most = "up to " if gain.at_most else ""
    said = f"{most}{duration(gain.time_ns)} · {share(gain.time_ns, gain.of_ns)} of {gain.of}"
    bar = f'<svg class="bar" aria-hidden="true"><rect class="gain" width="{part:.2%}" height="100%"/></svg>'
    return f'<p class="saves">{bar}<span>{escape(said)}</span></p>'


def _link(file: Shown, number: int, place: Place | None) -> str:
    if place is None:
        return ""
    where = escape(f"show {place.what} on the timeline")
    return f' <a class="place" href="#{file.id("timeline")}" data-run="{file.number}" data-place="{number}">{where}</a>'


def _evidence(evidence: dict[str, Any]) -> list[tuple[str, str]]:
    return [(str(key), _spelled(value, str(key), DEEPEST)) for key, value in evidence.items()]


def _spelled(value: Any, key: str, deep: int) -> str:
    """A figure with its unit, by its name; lists and what is named within are spelled out, as far as is sensible."""
    if isinstance(value, dict) and deep:
        return " · ".join(
            f"{one}: {_spelled(each, key if key.endswith('_ns') else str(one), deep - 1)}"
            for one, each in list(value.items())[:MOST_ENTRIES]
        )
    if isinstance(value, list) and deep:
        inner = [_spelled(each, key, deep - 1) for each in value[:MOST_ENTRIES]]
        said = ", ".join(f"({one})" if isinstance(each, list) else one for one, each in zip(inner, value, strict=False))
        return said + (f" and {len(value) - MOST_ENTRIES:,} more" if len(value) > MOST_ENTRIES else "")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if key.endswith("_ns") or key == "ns_per_token":
        return duration(value)
    if key.endswith("share"):
        return f"{value:.1%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}"

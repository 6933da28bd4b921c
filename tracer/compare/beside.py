"""Energy and memory of two runs beside each other: each was measured once, so nothing is tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.comparison import Beside
from tracer.document.names import REQUEST
from tracer.document.summary import Energy, Footprint, Joules

if TYPE_CHECKING:
    from tracer.document.summary import Summary


def energies(summary: Summary) -> dict[str, Joules]:
    """What is known of a run's energy, by "joules/token", "joules/request" and "joules/STAGE"."""
    found = summary.energy
    if not isinstance(found, Energy):
        return {}
    known = {"token": found.per_token, REQUEST: found.per_request}
    for one in found.stages:
        if one.stage != REQUEST and one.joules is not None and one.interval is not None:
            known[one.stage] = Joules(joules=one.joules, interval=one.interval)
    return {f"joules/{name}": value for name, value in known.items() if value is not None}


def beside(before: Summary, after: Summary) -> list[Beside]:
    """Joules and peaks that either run has; of energies, between what bounds the ratio lies."""
    first, second = energies(before), energies(after)
    rows = [_energy(of, first.get(of), second.get(of)) for of in dict.fromkeys([*first, *second])]
    peaks, others = _peaks(before), _peaks(after)
    for stage in dict.fromkeys([*peaks, *others]):
        one, other = peaks.get(stage), others.get(stage)
        ratio = other / one if one and other is not None else None
        rows.append(Beside(of=f"peak/{stage}", unit="bytes", before=one, after=other, ratio=ratio))
    return rows


def _energy(of: str, before: Joules | None, after: Joules | None) -> Beside:
    values = [None if one is None else one.joules for one in (before, after)]
    if before is None or after is None or not before.joules or not before.interval[0]:
        return Beside(of=of, unit="joules", before=values[0], after=values[1], ratio=None)
    return Beside(
        of=of,
        unit="joules",
        before=before.joules,
        after=after.joules,
        ratio=after.joules / before.joules,
        low_ratio=after.interval[0] / before.interval[1],
        high_ratio=after.interval[1] / before.interval[0],
    )


def _peaks(summary: Summary) -> dict[str, int]:
    found = summary.footprint
    if not isinstance(found, Footprint):
        return {}
    return {one.stage: one.peak_bytes for one in found.stages if one.peak_bytes is not None}

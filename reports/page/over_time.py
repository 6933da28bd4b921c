"""Memory over time, as a line above the stages: SVG that needs no script, fits any width, and prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.palette import COLOURS
from reports.render.html import escape, note, stage_class
from reports.units import byte_count, counted, duration

if TYPE_CHECKING:
    from reports.page.shown import Shown
    from tracer.document.timeline import MemoryCurve

HIGH, TOP, WIDE = 200, 22, 1000
NOTE = (
    "What the device's allocator has given and not taken back, as the host asked; the stages as the host ran them, "
    "in their colours. The dashed line is where it was highest first."
)


def memory_over_time(file: Shown) -> str:
    """A chart for each device whose allocations were recorded; "" of none."""
    curves = file.timeline.memory if file.timeline is not None else []
    return "".join(_chart(curve, several=len(curves) > 1) for curve in curves if curve.times_ns)


def _chart(curve: MemoryCurve, *, several: bool) -> str:
    place, most = max(enumerate([curve.before_bytes, *curve.total_bytes]), key=lambda one: (one[1], -one[0]))
    at_ns = curve.times_ns[place - 1] if place else curve.start_ns
    base = _base(min([curve.before_bytes, *curve.total_bytes]), most)
    length = max(curve.end_ns - curve.start_ns, 1)

    def part(time_ns: int) -> float:
        return (time_ns - curve.start_ns) / length

    bands = "".join(
        f'<rect class="band fill {stage_class(band.stage)}" x="{part(band.start_ns):.3%}" '
        f'width="{(band.end_ns - band.start_ns) / length:.3%}" y="{TOP}" height="{HIGH - TOP}">'
        f"<title>{escape(f'{band.stage}, {duration(band.end_ns - band.start_ns)}')}</title></rect>"
        for band in curve.bands
    )
    peak = part(at_ns)
    anchor = "start" if peak < 0.3 else "end" if peak > 0.7 else "middle"
    said = f"peak {byte_count(most)}, {duration(at_ns - curve.start_ns)} from the left"
    drawn = (
        f'<svg class="overtime" role="img" aria-label="{escape(f"memory over time: {said}")}">{bands}'
        f'<svg viewBox="0 0 {WIDE} {HIGH - TOP}" preserveAspectRatio="none" y="{TOP}" height="{HIGH - TOP}">'
        f'<path class="level" d="{_line(curve, base, most, length)}"/></svg>'
        f'<line class="peak" x1="{peak:.3%}" x2="{peak:.3%}" y1="{TOP - 4}" y2="{HIGH}"/>'
        f'<text x="{peak:.3%}" y="13" text-anchor="{anchor}">{escape(said)}</text></svg>'
    )
    title = f"Memory over time, device {curve.device}" if several else "Memory over time"
    upwards = f"{byte_count(base)}, not 0, to {byte_count(most)}" if base else f"0 to {byte_count(most)}"
    span = f'<p class="hint">{escape(f"{duration(length)} from left to right, {upwards} upwards.")}</p>'
    return (
        f'<div class="bars of-time"><h3>{escape(title)}</h3>{_legend(curve)}{drawn}{span}{note(_reading(curve))}</div>'
    )


def _base(lowest: int, most: int) -> int:
    """What the bottom stands for: weights that are always there would flatten all that changes."""
    return lowest - (most - lowest) // 20 if 2 * lowest > most > lowest else 0


def _line(curve: MemoryCurve, base: int, most: int, length: int) -> str:
    """Steps: what was allocated stays until the next change."""

    def y(total: int) -> str:
        return f"{(HIGH - TOP) * (1 - (total - base) / max(most - base, 1)):.1f}"

    steps = "".join(
        f"H{WIDE * (time_ns - curve.start_ns) / length:.1f}V{y(total)}"
        for time_ns, total in zip(curve.times_ns, curve.total_bytes, strict=True)
    )
    return f"M0 {y(curve.before_bytes)}{steps}H{WIDE}"


def _legend(curve: MemoryCurve) -> str:
    there = {band.stage for band in curve.bands}
    keys = "".join(f'<span class="key of-{stage}">{stage}</span>' for stage in COLOURS if stage in there)
    return f'<p class="legend">{keys}</p>' if keys else ""


def _reading(curve: MemoryCurve) -> str:
    said = [NOTE]
    if len(curve.times_ns) < curve.changes:
        drawn = f"{len(curve.times_ns):,} of {counted(curve.changes, 'change')}"
        said.append(f"Drawn are {drawn}: the highest and the lowest of each stretch of time.")
    if curve.bands_left_out:
        said.append(f"The {counted(curve.bands_left_out, 'shortest range')} of stages not shaded.")
    return " ".join(said)

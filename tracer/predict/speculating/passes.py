"""What the target's pass over several tokens takes: as rounds measured it, else by its roofline."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer.document.names import DECODE, PREFILL
from tracer.document.words import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.summary import PassWork, Roofline
    from tracer.predict.runs import Run


# No model's step is over in less.
LEAST_NS = 1.0


@dataclass(frozen=True, slots=True)
class Roof:
    """How the target's busy time grows with the positions of a pass.

    The weights and the cache are read once however many positions there are, the arithmetic is as much for each. Both
    are slower than at peak: reading as in a step, arithmetic as in the prefill, where that is what it waits for.

    Attributes:
        work: of a pass.
        tflops, gbs: peaks of all devices that work in it.
        slower: how many times as long as at peak arithmetic takes; None as a step.
    """

    work: PassWork
    tflops: float
    gbs: float
    slower: float | None = None

    def reading_ns(self, positions: int) -> float:
        """At peak bandwidth."""
        return self.work.bytes_of(positions) / self.gbs

    def reckoning_ns(self, positions: int) -> float:
        """At peak arithmetic."""
        return self.work.flops_of(positions) / self.tflops / 1e3

    def floor_ns(self, positions: int) -> float:
        """What a pass cannot take less than."""
        return max(self.reading_ns(positions), self.reckoning_ns(positions))

    def busy_ns(self, step_ns: float, positions: int) -> float:
        """What a pass keeps the device busy for, if one over a single position does for `step_ns`."""
        as_a_step = step_ns / self.floor_ns(1)
        slower = as_a_step if self.slower is None else self.slower
        return max(step_ns, self.reading_ns(positions) * as_a_step, self.reckoning_ns(positions) * slower)


@dataclass(frozen=True, slots=True)
class Measured:
    """What checking so many drafted tokens took.

    Attributes:
        drafted: tokens.
        verify_ns: of a check.
        rounds: that it was measured in.
        place: where these are: "the trace", or another.
    """

    drafted: int
    verify_ns: float
    rounds: int
    place: str = "the trace"


def roof_of(roofline: Roofline | None, *, of_target: bool = False) -> Roof | None:
    """Of the model that was recorded; None where its work or the device's peaks are not known, or contradict a step.

    Args:
        roofline: of the recording.
        of_target: whether it is of the target's passes among those of two models, and has no stages.
    """
    if roofline is None or roofline.step is None or not roofline.peak_tflops or not roofline.peak_gbs:
        return None
    if of_target:
        roof = Roof(roofline.step, roofline.peak_tflops, roofline.peak_gbs)
        return roof if roof.floor_ns(1) >= LEAST_NS else None
    rows = {row.stage: row for row in roofline.stages}
    step, prefill = rows.get(DECODE), rows.get(PREFILL)
    if step is None or step.error:
        return None
    slower = prefill.busy_ns / prefill.floor_ns if prefill and prefill.bound == "compute" and prefill.floor_ns else None
    roof = Roof(roofline.step, roofline.peak_tflops * step.devices, roofline.peak_gbs * step.devices, slower)
    return roof if roof.floor_ns(1) >= LEAST_NS else None


def checked(drafted: int, checks: Sequence[Measured], step: Run | None, roof: Roof | None) -> tuple[float, str] | None:
    """What checking so many drafted tokens takes, in nanoseconds, and what that is known from; None where nothing is.

    Args:
        drafted: tokens; the pass has one position more.
        checks: that were measured, by how many tokens they checked.
        step: of the target by itself.
        roof: of the target.
    """
    measured = _measured(drafted, checks)
    if measured is not None:
        return measured
    if roof is None:
        return None
    if checks:
        near = checks[0] if drafted < checks[0].drafted else checks[-1]
        grown = roof.floor_ns(drafted + 1) / roof.floor_ns(near.drafted + 1)
        return (
            near.verify_ns * grown,
            f"checks of {near.drafted} drafted in {near.place}, grown as the model's roofline is",
        )
    if step is None or not step.busy_ns:
        return None
    busy_ns = roof.busy_ns(step.busy_ns, drafted + 1)
    floors = f"{duration(roof.floor_ns(1))} to {duration(roof.floor_ns(drafted + 1))}"
    waits = "; the host, not the device, is the limit" if step.waits and busy_ns <= step.step_ns else ""
    return step.busy_for(busy_ns).step_ns, f"a step, and the model's roofline: its floor goes from {floors}{waits}"


def _measured(drafted: int, checks: Sequence[Measured]) -> tuple[float, str] | None:
    lengths = [one.drafted for one in checks]
    place = bisect_left(lengths, drafted)
    if place < len(checks) and lengths[place] == drafted:
        one = checks[place]
        return one.verify_ns, f"measured, {one.rounds:,} round{'s' * (one.rounds > 1)} of {one.place}"
    if not 0 < place < len(checks):
        return None
    below, above = checks[place - 1], checks[place]
    share = (drafted - below.drafted) / (above.drafted - below.drafted)
    taken = below.verify_ns + share * (above.verify_ns - below.verify_ns)
    if below.place == above.place:
        return taken, f"between checks of {below.drafted} and {above.drafted} drafted in {below.place}"
    return taken, f"between checks of {below.drafted} drafted in {below.place} and of {above.drafted} in {above.place}"

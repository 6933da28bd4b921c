"""How fast the host launches, against how fast it can."""

from __future__ import annotations

import msgspec

# A host that takes this many times what a launch takes at least has something else to do in between.
MUCH = 2.0
CODE, MACHINE = "code", "machine"


class StageLaunches(msgspec.Struct, frozen=True, kw_only=True):
    """A stage whose device waits for the host.

    Attributes:
        stage: its name.
        launches: of one run, on average; a graph's replay is one.
        each_ns: the host's time for each, in calls that launch, operators and Python together; without the profiler
            where that was measured.
        clean: whether it was.
        slow: "code" where that is much more than the host takes at least, "machine" where it is not; None where the
            least is unknown, or the profiler's cost is in `each_ns`.
    """

    stage: str
    launches: float
    each_ns: float
    clean: bool
    slow: str | None = None


class Launching(msgspec.Struct, frozen=True, kw_only=True):
    """What a launch takes the host of a recording.

    Attributes:
        device, host: the device's name, and the processor's; "" where the recording does not say that.
        floor_ns: at least, as `tracer calibrate` measured it there; None where it did not.
        stages: those whose device waits for the host, in their order.
    """

    device: str
    host: str
    floor_ns: float | None
    stages: list[StageLaunches]

    def of(self, stage: str) -> StageLaunches | None:
        """That of a stage, if it is among them."""
        return next((one for one in self.stages if one.stage == stage), None)

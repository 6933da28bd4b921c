"""Where the host's time goes, by layer: calls into the device's runtime, operators, and Python."""

from __future__ import annotations

import msgspec


class HostTime(msgspec.Struct, frozen=True, kw_only=True):
    """The launching thread's time inside ranges, divided without remainder; on each thread once, profiler and all.

    The parts that are known add up to the ranges themselves (`cpu_ns` of a stage).

    Attributes:
        launch_ns: in calls that launch kernels and graphs.
        copy_ns: in calls that ask for copies and fills, and do not wait for them.
        sync_ns: in calls that wait for the device.
        dispatch_ns: in operators, outside those calls: checks, shapes, allocation, finding the kernel. None where the
            profiler recorded no operators of the thread.
        python_ns: the rest of the ranges: Python and the framework between operators. None likewise.
        blocked_ns: in which the thread slept, waited for another, or was off its processor, outside those calls, as far
            as it was read: stacks tell the first two (with `--by host`), Nsight's context switches the last. What is
            not told is part of the others, mostly of `python_ns`.
        untold_ns: of operators and Python together, where they cannot be told apart.
        slowed: how many times longer such ranges take under the profiler than without; None where that was not
            measured. Divide by it for what is left without a profiler.
    """

    launch_ns: int
    copy_ns: int
    sync_ns: int
    dispatch_ns: int | None
    python_ns: int | None
    blocked_ns: int = 0
    untold_ns: int = 0
    slowed: float | None = None

    @property
    def total_ns(self) -> int:
        """All of it."""
        known = self.launch_ns + self.copy_ns + self.sync_ns + self.blocked_ns + self.untold_ns
        return known + (self.dispatch_ns or 0) + (self.python_ns or 0)


class HostRow(msgspec.Struct, frozen=True, kw_only=True):
    """Time of the host in one stage by one name.

    Attributes:
        stage: in whose ranges.
        layer: "launching", "copying", "waiting", "held up", "operators", "Python", or "untold" for operators or Python.
        name: the call's, the operator's, the module's; "" of Python outside modules.
        count: how many of that name.
        time_ns: in which it was the innermost.
    """

    stage: str
    layer: str
    name: str
    count: int
    time_ns: int

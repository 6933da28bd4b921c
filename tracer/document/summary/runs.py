"""What runs of the stages take."""

from __future__ import annotations

import msgspec


class RunTime(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of a stage takes.

    Runs with launches that have no device op are left out; of none that is whole, times in the trace are None.

    Attributes:
        stage: its name.
        runs: in a request where the recording says so, else in the trace; decode has one a step.
        busy_ns: of one run, on average, in the trace; time that passed while any of its devices worked.
        step_ns: what a run takes: without a profiler where that was measured, else in the trace; time that passed.
        clean: whether it was.
        fused_ns: of decode, what of `busy_ns` would be left if PyTorch's own small kernels were fused and nothing were
            concatenated, by `tracer.measure.fusion`; None where nothing ran on a device.
        devices: that work in one run, at most.
        left_out: of `recorded`, runs that lack device ops.
        doubted_ns: what the recording's clock said without a profiler where that is less than half of `busy_ns`: the
            stage's work then ran where that clock does not look (a stream that nobody waits for), and `step_ns` is of
            the trace; None where there is no doubt.
        recorded: runs that the trace holds; a stage that is opened several times in a request is one run of it.
    """

    stage: str
    runs: int
    busy_ns: float | None
    step_ns: float | None
    clean: bool
    fused_ns: float | None = None
    devices: int = 1
    recorded: int = 0
    doubted_ns: float | None = None
    left_out: int = 0

    @property
    def total_ns(self) -> float | None:
        """All runs together."""
        return None if self.step_ns is None else self.runs * self.step_ns

    @property
    def waiting_ns(self) -> float | None:
        """What a run takes beyond its busy time."""
        return None if self.step_ns is None or self.busy_ns is None else max(0.0, self.step_ns - self.busy_ns)

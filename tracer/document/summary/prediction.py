"""What a change would gain."""

from __future__ import annotations

import msgspec


class StagePrediction(msgspec.Struct, frozen=True, kw_only=True):
    """All runs of a stage, as measured, as predicted, and as measured with the change where it was recorded."""

    stage: str
    now_ns: int
    then_ns: int
    measured_ns: int | None = None


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What `tracer whatif` says.

    Attributes:
        of: "a request", of a data set "a request like the recorded", else "the trace".
        source: "clean" if what is now was measured without a profiler, else "trace".
        stages: in their order.
        now_ns, then_ns, measured_ns: of a request what its latencies say, as everywhere; where they do not, all stages
            together.
        assumptions: what the prediction rests on, one for each change.
    """

    of: str
    source: str
    stages: list[StagePrediction]
    now_ns: int
    then_ns: int
    assumptions: list[str]
    measured_ns: int | None = None

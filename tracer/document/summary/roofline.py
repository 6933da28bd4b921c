"""Stages under the roof of their device."""

from __future__ import annotations

import msgspec


class StageRoofline(msgspec.Struct, frozen=True, kw_only=True):
    """One stage under the device's roof; figures of one run of it (one step of decode), on average.

    Attributes:
        stage: its name; "" is the whole trace, where it has no stages.
        runs: how many the trace holds.
        flops: analytic operations.
        bytes: analytic bytes of weights and KV cache; of inputs and outputs where they come from shapes.
        weight_bytes: those of the weights.
        intensity: operations per byte.
        busy_ns: time that passed while its work ran on any device.
        step_ns: what a run takes: without a profiler where that was measured, else in the trace.
        step_source: "clean" or "trace".
        tflops, gbs: achieved while busy.
        mfu, mbu: what peak arithmetic, or peak bandwidth, would take of `step_ns`; None without a peak.
        bound: "compute" or "memory": which of the two takes longer at peak.
        floor_ns: how long that is.
        distance_ns: `step_ns` above the floor.
        limited_by: "host", "sync", "launch" or "unknown" where the device idles for more than half of `step_ns` (the
            main cause in the trace); else the bound where the floor is more than half of `busy_ns`, else "kernels".
            None where the peak is needed and unknown, or too little is `covered`.
        covered: share of the stage's device time that operators with a formula asked for; None where the work is
            the model's own and thus whole.
        devices: that work in one run; peaks are those of all of them.
        error: why the figures cannot be: the work takes longer at peak than was measured. Then there is no utilisation,
            no bound and no floor; "" where all is well.
    """

    stage: str
    runs: int
    flops: int
    bytes: int
    weight_bytes: int
    intensity: float | None
    busy_ns: int
    step_ns: int
    step_source: str
    tflops: float
    gbs: float
    mfu: float | None
    mbu: float | None
    bound: str | None
    floor_ns: int | None
    distance_ns: int | None
    limited_by: str | None
    covered: float | None = None
    devices: int = 1
    error: str = ""


class VisualToken(msgspec.Struct, frozen=True, kw_only=True):
    """What one visual token costs, inferred from the model's analytic work.

    Attributes:
        count: visual tokens of a request.
        prefill_flops: operations that prefill would save per visual token, if there were none.
        prefill_share: share of prefill's operations that all of them together take.
        prefill_ns: the same share of prefill's busy time, per token.
        kv_bytes: bytes of cache that each decode step reads for it.
        decode_ns: those at peak bandwidth, each step; None without a peak.
    """

    count: int
    prefill_flops: int
    prefill_share: float
    prefill_ns: float | None
    kv_bytes: int
    decode_ns: float | None


class PassWork(msgspec.Struct, frozen=True, kw_only=True):
    """The model's analytic work in a pass over several positions, as one that checks a draft; of a mean step's cache.

    Attributes:
        weight_bytes: of all weights, which are read once.
        kv_bytes: of the cache in a step of one position.
        token_kv_bytes: a position's part of the cache.
        token_flops: operations of a step of one position, its logits included.
        pair_flops: of attention between two positions.
    """

    weight_bytes: float
    kv_bytes: float
    token_kv_bytes: float
    token_flops: float
    pair_flops: float

    def flops_of(self, positions: int) -> float:
        """Operations of a pass over so many positions; each sees those before it."""
        return positions * self.token_flops + self.pair_flops * positions * (positions - 1) / 2

    def bytes_of(self, positions: int) -> float:
        """Bytes of it: weights and cache once, and each further position written to the cache and read."""
        return self.weight_bytes + self.kv_bytes + 2 * (positions - 1) * self.token_kv_bytes


class Roofline(msgspec.Struct, frozen=True, kw_only=True):
    """Stages against what the device could do.

    Attributes:
        device, dtype: whose peak it is.
        peak_tflops, peak_gbs: dense arithmetic and memory bandwidth of one device; None if unknown.
        peak_source: a data sheet's address, "measured by tracer calibrate" or the options' names; "" if unknown.
        stages: those whose work is known.
        visual_token: None where the model's work does not say.
        step: a pass over several positions, where the model's work says what that takes.
        source: what the work is known from: "model" (its own analytic count) or "shapes" (which the profiler recorded).
    """

    device: str
    dtype: str
    peak_tflops: float | None
    peak_gbs: float | None
    peak_source: str
    stages: list[StageRoofline]
    visual_token: VisualToken | None
    source: str = "model"
    step: PassWork | None = None

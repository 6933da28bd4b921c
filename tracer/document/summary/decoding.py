"""The decode steps beside each other."""

from __future__ import annotations

import msgspec


class Slope(msgspec.Struct, frozen=True, kw_only=True):
    """Nanoseconds per step of something: the median slope over all pairs, and its 95 % interval."""

    ns: float
    low_ns: float
    high_ns: float


class Outlier(msgspec.Struct, frozen=True, kw_only=True):
    """A decode step that takes far longer than the others.

    Attributes:
        request, index: which one.
        time_ns: its busy and idle time, as charged.
        excess_ns: what of that is above the median step.
        cause: the part that grew most: "device" (busy; of a CPU "operators"), "host", "sync", "launch" or "unknown"
            (idle by cause).
    """

    request: int
    index: int
    time_ns: int
    excess_ns: int
    cause: str


class Decoding(msgspec.Struct, frozen=True, kw_only=True):
    """The decode steps beside each other.

    Attributes:
        steps, requests: how many.
        kv_tokens: length of the KV cache before the first and the last of the steps; empty where unknown.
        device_time_ns: of the median step.
        growth: device time per token that the KV cache grows by; None with too few steps.
        drift: device time of the same steps from one request to the next; None with too few requests.
        outliers: steps that stand out, the longest first.
        beyond_cache: whether they grow by more than the cache does, so that its growth alone does not explain it.
    """

    steps: int
    requests: int
    kv_tokens: list[int]
    device_time_ns: int
    growth: Slope | None
    drift: Slope | None
    outliers: list[Outlier]
    beyond_cache: bool = False

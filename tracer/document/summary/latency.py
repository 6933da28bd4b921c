"""What a user waits for."""

from __future__ import annotations

import msgspec

from tracer.document.bounds import Count
from tracer.document.names import DECODE, PREFILL, REQUEST, TPOT, TTFT

MEAN, MEDIAN = "mean", "median"


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """Observed values, nearest rank."""

    p50: int
    p90: int
    p99: int


class Statistic(msgspec.Struct, frozen=True, kw_only=True):
    """One measure over requests.

    Attributes:
        of: a stage, "request", "ttft" or "tpot".
        n: requests that have it.
        mean_ns: arithmetic mean.
        p50_ns: the median.
        p95_ns: nearest rank.
        low_ns, high_ns: an interval of what `interval_of` names, by order statistics of independent requests; None of
            fewer than five.
        level: how often such an interval holds it: 0.95, of five requests 0.9375.
        interval_of: "median"; "mean" in documents from before there was this key, whose intervals held it less often
            than the 95 % that they spoke of.
    """

    of: str
    n: int
    mean_ns: float
    p50_ns: float
    p95_ns: int
    low_ns: float | None
    high_ns: float | None
    level: float | None = None
    interval_of: str = MEAN


class SampleLatency(msgspec.Struct, frozen=True, kw_only=True):
    """The requests that were given one sample.

    Attributes:
        name: of its file or files; untrusted.
        batch_size: sequences.
        frames, visual_tokens, prompt_tokens, new_tokens: of each sequence.
        statistics: over these requests.
    """

    name: str
    batch_size: int
    frames: int
    visual_tokens: int
    prompt_tokens: int
    new_tokens: int
    statistics: list[Statistic]


class RequestLatency(msgspec.Struct, frozen=True, kw_only=True):
    """One request of the pass without a profiler.

    Attributes:
        stages_ns: one run of each stage that is marked; decode is the sum of its steps.
        outside_ns, outside_later_ns: time in no stage, up to the end of prefill and after it.
        decode_ns: the decode steps in order: forward passes, of which one may yield several tokens.
        first_step: token index of `decode_ns[0]`.
        sample: index into `latency.samples`, where there are several.
        sample_name: its name; "" where there is one input only.
        batch_size: sequences.
        visual_tokens, prompt_tokens, new_tokens: of each sequence.
        prefill_tokens: tokens of a sequence that were there when prefill ended.
        step_tokens: that each of `decode_ns` yielded; empty where that was one each.
    """

    stages_ns: dict[str, Count]
    decode_ns: list[Count]
    first_step: Count
    sample: Count
    sample_name: str
    batch_size: Count
    visual_tokens: Count
    prompt_tokens: Count
    new_tokens: Count
    outside_ns: Count = 0
    outside_later_ns: Count = 0
    prefill_tokens: Count = 1
    step_tokens: list[Count] = []

    @property
    def later_tokens(self) -> int:
        """Tokens of a sequence behind token 0, as far as the steps were measured."""
        return self.prefill_tokens - 1 + (sum(self.step_tokens) if self.step_tokens else len(self.decode_ns))


def measures(request: RequestLatency) -> dict[str, float]:
    """Nanoseconds of each stage, of the request, to the first token and per later token, where those are marked.

    TTFT is request start to the end of prefill; TPOT is (end of last token - end of token 0) / (tokens - 1).
    """
    stages = request.stages_ns
    later_ns = stages.get(DECODE, 0) + request.outside_later_ns
    whole_ns = sum(stages.values()) + request.outside_ns + request.outside_later_ns
    found: dict[str, float] = {**stages, REQUEST: whole_ns}
    if PREFILL in stages:
        found[TTFT] = whole_ns - later_ns
    if request.decode_ns and request.later_tokens > 0:
        found[TPOT] = sum(request.decode_ns) / request.later_tokens
    return found


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """What a user waits for; medians over requests.

    Attributes:
        source: "clean" (no profiler) or "profiled" (from the trace, distorted by the profiler).
        clock: "cuda_event", "host" or "trace".
        requests: how many were measured.
        ttft_ns: request start to the end of prefill's token, load and preprocess included; None where prefill is not
            marked.
        tpot_ns: (end of last token - end of token 0) / (tokens - 1); None with one token.
        itl_ns: the gaps between tokens; where a step yields several, those between steps.
        request_ns: request start to end of the last token.
        tokens_per_s: decoded tokens per second of decoding, over the batch.
        stages_ns: each stage that is marked; decode is the sum of its steps.
        distortion: profiled / clean, per stage.
        statistics: each stage, then request, TTFT and TPOT.
        samples: the same for each sample, where there are several.
        outside_ns: time of the request in no stage, where the code between the stages is somebody's own.
        tokens_per_step: of a sequence, on average over all decode steps; None without steps.
    """

    source: str
    clock: str
    requests: int
    ttft_ns: int | None
    tpot_ns: int | None
    itl_ns: Percentiles | None
    request_ns: int
    tokens_per_s: float | None
    stages_ns: dict[str, int]
    distortion: dict[str, float]
    statistics: list[Statistic] = []
    samples: list[SampleLatency] = []
    outside_ns: int = 0
    tokens_per_step: float | None = None

"""What a change would gain."""

from __future__ import annotations

import msgspec


class StagePrediction(msgspec.Struct, frozen=True, kw_only=True):
    """All runs of a stage, as measured, as predicted, and as measured with the change where it was recorded.

    `role` is "draft" of a stage that another model adds.
    """

    stage: str
    now_ns: int
    then_ns: int
    measured_ns: int | None = None
    role: str | None = None


class PricedLength(msgspec.Struct, frozen=True, kw_only=True):
    """A round of so many drafted tokens.

    Attributes:
        drafted: tokens.
        verify_ns: checking them.
        tokens: that it yields on average.
        round_ns: all of it.
        speedup: against the target alone; None where its step is unknown.
    """

    drafted: int
    verify_ns: float
    tokens: float
    round_ns: float
    speedup: float | None


class PricedSpeculation(msgspec.Struct, frozen=True, kw_only=True):
    """What a round would take and yield; times are of one, each with what it is known from.

    Attributes:
        drafted: tokens of a round.
        acceptance: of each position the probability that it is accepted if those before it are.
        tokens: that a round yields on average.
        step_ns, step_source: a step of the target by itself; None where the trace has none.
        draft_token_ns, draft_source: drafting a token.
        map_token_ns, map_source: mapping one.
        verify_ns, verify_source: checking all of them in one pass.
        round_ns: all of it.
        speedup: of decoding, against the target alone; None without its step.
        break_even_acceptance: the probability, one for all positions, at which the two are equal; None without the
            target's step, and where no acceptance is enough.
        best_drafted: tokens a round at which decoding is fastest; 0 where the target alone is.
        measured_speedup, measured_tokens: of the recorded rounds, where they were recorded.
        by_drafted: rounds of other lengths, as far as they can be priced.
    """

    drafted: int
    acceptance: list[float]
    tokens: float
    step_ns: float | None
    step_source: str
    draft_token_ns: float
    draft_source: str
    map_token_ns: float
    map_source: str
    verify_ns: float
    verify_source: str
    round_ns: float
    speedup: float | None
    break_even_acceptance: float | None
    best_drafted: int
    by_drafted: list[PricedLength]
    measured_speedup: float | None = None
    measured_tokens: float | None = None


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What `tracer whatif` says.

    Attributes:
        of: "a request", of a data set "a request like the recorded", else "the trace".
        source: "clean" if what is now was measured without a profiler, else "trace".
        stages: in their order.
        now_ns, then_ns, measured_ns: of a request what its latencies say, as everywhere; where they do not, all stages
            together.
        assumptions: what the prediction rests on, one for each change.
        speculation: what a round of speculative decoding takes, where that was asked for.
    """

    of: str
    source: str
    stages: list[StagePrediction]
    now_ns: int
    then_ns: int
    assumptions: list[str]
    measured_ns: int | None = None
    speculation: PricedSpeculation | None = None

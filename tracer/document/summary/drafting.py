"""Two models recorded together, without a profiler: each alone, both in either schedule, and what a sweep found."""

from __future__ import annotations

import msgspec

from tracer.document.summary.roofline import Roofline


class WayRow(msgspec.Struct, frozen=True, kw_only=True):
    """One way of working; times are medians of its requests.

    Attributes:
        way: "target alone", "draft alone", "sequential" or "overlapped".
        requests: how many were measured.
        vision_ns, prefill_ns: the target's, or the draft's where it is alone.
        ttft_ns: from the request's start to the end of that prefill.
        decoding_ns: from there to the last token, whatever the draft does first included.
        decoding_low_ns, decoding_high_ns: the median's interval; None of fewer than five requests.
        request_ns: all of it.
        tokens: of an answer.
        rounds, drafted, accepted: in all requests; None of one model.
        decoding_speedup, request_speedup: against the target alone.
        round_ns: a round that drafted all the tokens it was to, behind the first of a request, in whose time the
            draft's prompt is; None where there is none, or it is not known how many a round drafted.
        whole_rounds: that this is of.
    """

    way: str
    requests: int
    vision_ns: int
    prefill_ns: int
    ttft_ns: int
    decoding_ns: int
    decoding_low_ns: int | None
    decoding_high_ns: int | None
    request_ns: int
    tokens: int
    rounds: int | None = None
    drafted: int | None = None
    accepted: int | None = None
    decoding_speedup: float | None = None
    request_speedup: float | None = None
    round_ns: int | None = None
    whole_rounds: int = 0


class SweepRow(msgspec.Struct, frozen=True, kw_only=True):
    """Both models in rounds of so many drafted tokens, of which such a share was accepted.

    Attributes:
        drafted: tokens a round.
        acceptance: that was forced, by position; empty for the draft's own.
        measured: as in the table of ways.
    """

    drafted: int
    acceptance: list[float]
    measured: WayRow


class Drafting(msgspec.Struct, frozen=True, kw_only=True):
    """What the manifest says of a draft, and of the clean passes of a recording of two models.

    Attributes:
        draft, size, weights, device: of the draft.
        drafted: tokens a round.
        schedule: of the recorded requests.
        mapping: how ids of the draft become the target's.
        acceptance, seed: that was forced, by position, and by which decisions; empty for the draft's own.
        target_step_ns: the median step of the target alone; None where it made none.
        ways: each way of working.
        sweep: more of both together.
        roofline: of a pass of the target over several positions, without stages; None where its work is not known.
    """

    draft: str
    size: str
    weights: str
    device: str
    drafted: int
    schedule: str
    mapping: str
    acceptance: list[float]
    seed: int
    target_step_ns: int | None
    ways: list[WayRow]
    sweep: list[SweepRow]
    roofline: Roofline | None = None

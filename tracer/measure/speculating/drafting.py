"""Two models recorded together: the clean passes beside each other, and what they say of the rounds in the trace."""

from __future__ import annotations

from itertools import accumulate
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from tracer.document.manifest import TARGET_ALONE
from tracer.document.summary import Drafting, SweepRow, WayRow
from tracer.measure.roofline import analytic
from tracer.measure.speculating.speculation import speculation
from tracer.statistics.intervals import median_interval

if TYPE_CHECKING:
    from tracer.choices import Choices
    from tracer.document import manifest as manifests
    from tracer.document.manifest import Latencies, Manifest
    from tracer.document.summary import Roofline, Speculation
    from tracer.measure.runs import Runs
    from tracer.trace.columns import Trace

# What the trace alone cannot tell, and clean passes can.
TOLD_BY_CLEAN = ("target_step_ns", "target_alone_ns", "speedup", "break_even_acceptance")


def told(trace: Trace, runs: Runs, choices: Choices) -> tuple[Speculation | None, Drafting | None]:
    """The rounds of a trace, and what its recording measured of two models without a profiler."""
    drafted = drafting(trace.manifest)
    if drafted is not None:
        drafted = msgspec.structs.replace(drafted, roofline=_roofline(trace.manifest, choices))
    return with_clean(speculation(trace, runs), trace.manifest, drafted), drafted


def _roofline(manifest: Manifest | None, choices: Choices) -> Roofline | None:
    """The roof over the target's passes."""
    if manifest is None or manifest.drafting is None or manifest.drafting.cost is None:
        return None
    device = str(manifest.device.get("name", ""))
    peaks = {"tflops": choices.peak_tflops, "gbs": choices.peak_gbs}
    return analytic.of_passes(manifest, manifest.drafting.cost, device=device, **peaks)


def drafting(manifest: Manifest | None) -> Drafting | None:
    """What a recording of two models says of its clean passes; None of any other."""
    said = None if manifest is None else manifest.drafting
    if said is None:
        return None
    alone = next((_row(way, None) for way in said.ways if way.name == TARGET_ALONE and way.requests), None)
    return Drafting(
        draft=str(said.draft.get("name", "")),
        size=str(said.draft.get("size", "")),
        weights=str(said.draft.get("weights", "")),
        device=said.device,
        drafted=said.tokens,
        schedule=said.schedule,
        mapping=said.mapping,
        acceptance=said.acceptance,
        seed=said.seed,
        target_step_ns=_step_ns(said),
        ways=[_row(way, alone, said.tokens) for way in said.ways if way.requests],
        sweep=[
            SweepRow(drafted=cell.tokens, acceptance=cell.acceptance, measured=_row(cell.way, alone, cell.tokens))
            for cell in said.sweep
            if cell.way.requests
        ],
    )


def _step_ns(said: manifests.Drafting) -> int | None:
    steps = [step for way in said.ways if way.name == TARGET_ALONE for one in way.requests for step in one.decode_ns]
    return round(median(steps)) if steps else None


def _row(way: manifests.Way, alone: WayRow | None, drafted: int = 0) -> WayRow:
    whole = _whole_rounds(way, drafted) if way.rounds else []
    decoding = [_decoding_ns(one) for one in way.requests]
    interval = median_interval(decoding)
    decoding_ns, request_ns = round(median(decoding)), round(median(map(_request_ns, way.requests)))
    return WayRow(
        way=way.name,
        requests=len(way.requests),
        vision_ns=round(median(one.vision_ns for one in way.requests)),
        prefill_ns=round(median(one.prefill_ns for one in way.requests)),
        ttft_ns=round(median(_ttft_ns(one) for one in way.requests)),
        decoding_ns=decoding_ns,
        decoding_low_ns=None if interval is None else round(interval.low),
        decoding_high_ns=None if interval is None else round(interval.high),
        request_ns=request_ns,
        tokens=round(median(_tokens(one) for one in way.requests)),
        rounds=sum(way.rounds) if way.rounds else None,
        drafted=sum(way.drafted) if way.rounds else None,
        accepted=sum(way.accepted) if way.rounds else None,
        decoding_speedup=alone.decoding_ns / decoding_ns if alone is not None and decoding_ns and way.rounds else None,
        request_speedup=alone.request_ns / request_ns if alone is not None and request_ns and way.rounds else None,
        round_ns=round(median(whole)) if whole else None,
        whole_rounds=len(whole),
    )


def _whole_rounds(way: manifests.Way, drafted: int) -> list[int]:
    """What rounds took that had room for all tokens they were to draft, but the first of a request.

    A round drafts fewer where its answer ends. None where a mapping cut some, which no time tells from the others.
    """
    room = [_room(one, drafted) for one in way.requests]
    if sum(way.drafted) < sum(map(sum, room)):
        return []
    return [
        time_ns
        for one, counts in zip(way.requests, room, strict=True)
        for time_ns, count in zip(one.decode_ns[1:], counts[1:], strict=True)
        if count == drafted
    ]


def _room(one: Latencies, drafted: int) -> list[int]:
    """How many tokens each round had room to draft, of as many as asked for; fewer where the answer ends."""
    before = accumulate(_of_steps(one)[:-1], initial=one.prefill_tokens)
    return [min(drafted, max(0, _tokens(one) - have - 1)) for have in before] if one.decode_ns else []


def _a_later_round(way: manifests.Way, drafted: int) -> float:
    """Tokens that a round drafted on average, without the first of each request.

    Where a mapping cut drafts, it is taken to have cut these as it did all.
    """
    room = [_room(one, drafted) for one in way.requests]
    whole, later, rounds = sum(map(sum, room)), sum(sum(row[1:]) for row in room), sum(len(row[1:]) for row in room)
    return later / rounds * (sum(way.drafted) / whole) if rounds and whole else 0.0


def _of_steps(one: Latencies) -> list[int]:
    return one.step_tokens or [1] * len(one.decode_ns)


def _ttft_ns(one: Latencies) -> int:
    return one.load_ns + one.preprocess_ns + one.vision_ns + one.prefill_ns + one.outside_ns


def _decoding_ns(one: Latencies) -> int:
    return sum(one.decode_ns) + one.decode_whole_ns + one.outside_later_ns


def _request_ns(one: Latencies) -> int:
    return _ttft_ns(one) + _decoding_ns(one)


def _tokens(one: Latencies) -> int:
    return one.prefill_tokens + sum(_of_steps(one))


def with_clean(found: Speculation | None, manifest: Manifest | None, drafted: Drafting | None) -> Speculation | None:
    """The rounds of the trace, and what the target alone would take by its own clean pass.

    A round's clean time is set against it, not the traced one, which the profiler makes longer. The first round of a
    request is left out: the draft's prompt is in its time.
    """
    if found is None or manifest is None or drafted is None or drafted.target_step_ns is None:
        return found
    later = [
        (time_ns, tokens)
        for one in manifest.clean
        for time_ns, tokens in zip(one.decode_ns[1:], _of_steps(one)[1:], strict=True)
    ]
    ways = [] if manifest.drafting is None else manifest.drafting.ways
    own = next((way for way in ways if way.name == drafted.schedule), None)
    yielded = sum(tokens for _, tokens in later)
    if not yielded or found.timed_yielded_tokens is None or own is None or not own.rounds:
        return found
    token_ns, round_ns = (
        sum(time_ns for time_ns, _ in later) / yielded,
        sum(time_ns for time_ns, _ in later) / len(later),
    )
    step_ns, a_round = drafted.target_step_ns, _a_later_round(own, drafted.drafted)
    return msgspec.structs.replace(
        found,
        target_step_ns=step_ns,
        target_alone_ns=round(step_ns * found.timed_yielded_tokens),
        clean_took_ns=round(token_ns * found.timed_yielded_tokens),
        speedup=step_ns / token_ns if token_ns else None,
        break_even_acceptance=max(0.0, (round_ns / step_ns - 1) / a_round) if a_round and step_ns else None,
        unknown={name: why for name, why in found.unknown.items() if name not in TOLD_BY_CLEAN},
    )

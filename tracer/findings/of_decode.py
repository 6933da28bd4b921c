"""Rules about decode steps beside each other, and requests beside each other."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct
from tracer.charge.spans import innermost_span
from tracer.document.names import ALL_STAGES, DECODE
from tracer.document.summary import Gain
from tracer.document.words import duration
from tracer.findings.evidence import finding
from tracer.measure.counts import outermost_waits
from tracer.measure.python_lines import places_of
from tracer.statistics.robust import median

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer.arrays import I64
    from tracer.document.summary import Finding, Token
    from tracer.findings.evidence import Evidence

FEWEST_STEPS = 3
DRAINED = 0.02
GROWTH = 0.05
FIRST_STEP = 2.0
FIRST_REQUEST = 1.5
DRIFT = 0.03
UNLOCATED = "recorded with stacks (tracer record --with-stack), the trace names the line of Python that waits"


def sync_per_token(evidence: Evidence) -> Finding | None:
    """Every step waits for the device, which then has nothing to do until the next launch."""
    tokens, stage = evidence.tokens, evidence.stage(DECODE)
    if len(tokens) < FEWEST_STEPS or stage is None or not evidence.on_gpu:
        return None
    if median(int64([token.counts.waits for token in tokens])) < 1:
        return None
    waits = _waits_of_decode(evidence)
    drained_ns = _gaps_behind(evidence, waits)
    if drained_ns <= DRAINED * (stage.busy_ns + stage.idle_ns):
        return None
    trace = evidence.trace
    names = [trace.strings[name] for name in trace.calls.name[waits].tolist()]
    calls = Counter(names)
    name, count = calls.most_common(1)[0]
    places = places_of(trace, waits, evidence.frames()) if evidence.frames is not None else []
    lines = Counter(words for _, words in places if words)
    of_name = Counter(place for place, call in zip(places, names, strict=False) if call == name and place[1])
    line, words = next(((line, f", by {words}") for (line, words), _ in of_name.most_common(1)), ("", ""))
    found = finding(
        "sync-per-token",
        "warning",
        f"each decode step waits for the device ({name}, {count / len(tokens):.1f} times a step{words}), which then "
        f"idles {duration(drained_ns / len(tokens))} until the next launch",
        {"calls": dict(calls), "steps": len(tokens), "gaps_ns": drained_ns, "wait_ns": stage.counts.wait_ns}
        | ({"line": line, "lines": dict(lines.most_common())} if line else {}),
        Gain(
            time_ns=round(drained_ns / len(tokens) * evidence.times[DECODE].runs),
            of_ns=round(evidence.whole_ns),
            of=evidence.of_whole,
            basis="the gap before the first op launched after each wait, in the trace; at most",
        ),
    )
    if line:
        return found
    return msgspec.structs.replace(found, next_step=f"{found.next_step}; {UNLOCATED}")


def _waits_of_decode(evidence: Evidence) -> I64:
    """The outermost synchronising calls inside decode steps."""
    trace, ranges = evidence.trace, evidence.ranges
    waits = outermost_waits(trace)
    holder = innermost_span(ranges, trace.calls.start_ns[waits], int64(trace.calls.thread[waits]))
    decoding = (holder >= 0) & (ranges.stage[np.maximum(holder, 0)] == ALL_STAGES.index(DECODE))
    return int64(waits[decoding])


def _gaps_behind(evidence: Evidence, waits: I64) -> int:
    """Gaps before the first op that each wait's thread launches after it, if the device ran dry during the wait."""
    calls, work = evidence.trace.calls, evidence.work
    first_op = _first_op_of_call(evidence)
    launches = np.flatnonzero(first_op >= 0)
    dry: set[int] = set()
    for thread in distinct(calls.thread[waits]):
        own = launches[calls.thread[launches] == thread]
        own = own[np.argsort(calls.start_ns[own], kind="stable")]
        ends = calls.end_ns[waits[calls.thread[waits] == thread]]
        place = np.searchsorted(calls.start_ns[own], ends)
        ends, place = ends[place < len(own)], place[place < len(own)]
        behind = first_op[own[place]]
        dry.update(behind[work.start_ns[behind] - work.idle_ns[behind] <= ends].tolist())
    return int(work.idle_ns[sorted(dry)].sum()) if dry else 0


def _first_op_of_call(evidence: Evidence) -> I64:
    """For each host call the op of it that started first, or -1."""
    call = evidence.work.call
    launched = np.flatnonzero(call >= 0)
    latest_first = launched[np.argsort(evidence.work.start_ns[launched], kind="stable")][::-1]
    first = np.full(len(evidence.trace.calls), -1, dtype=np.int64)
    first[call[latest_first]] = latest_first
    return first


def host_to_device_copies(evidence: Evidence) -> Finding | None:
    """Every step copies something to the device."""
    tokens = evidence.tokens
    copied = [token.counts.to_device_bytes for token in tokens]
    if len(tokens) < FEWEST_STEPS or not (typical := median(int64(copied))):
        return None
    return finding(
        "host-to-device-copies-in-decode",
        "warning",
        f"each decode step copies {typical:,.0f} bytes from the host to the device",
        {"bytes_per_step": typical, "bytes": sum(copied), "steps": len(tokens)},
    )


def kv_growth(evidence: Evidence) -> Finding | None:
    """Steps get slower as the cache grows."""
    decoding = evidence.decoding
    if decoding is None or decoding.growth is None or decoding.growth.low_ns <= 0:
        return None
    indices = [token.index for token in evidence.tokens]
    span = max(indices) - min(indices)
    grown_ns = decoding.growth.ns * span
    if grown_ns <= GROWTH * decoding.device_time_ns:
        return None
    growth = decoding.growth
    return finding(
        "kv-growth",
        "info",
        f"decode steps grow by {duration(growth.ns)} per cached token ({duration(growth.low_ns)} to "
        f"{duration(growth.high_ns)}): {grown_ns / decoding.device_time_ns:.0%} of a step over these {span + 1}",
        {"ns_per_token": growth.ns, "low_ns": growth.low_ns, "high_ns": growth.high_ns, "tokens": span},
    )


def token_outliers(evidence: Evidence) -> Finding | None:
    """Steps that stand out, with their causes."""
    outliers = evidence.decoding.outliers if evidence.decoding else []
    if not outliers:
        return None
    causes = Counter(outlier.cause for outlier in outliers)
    worst = outliers[0]
    steps = "decode step stands" if len(outliers) == 1 else "decode steps stand"
    where = ", ".join(f"{count} {cause}" for cause, count in causes.most_common())
    return finding(
        "token-outliers",
        "info",
        f"{len(outliers)} {steps} out (by cause: {where}); the longest is #{worst.index}, {duration(worst.excess_ns)} "
        "above the median",
        {"steps": [[outlier.request, outlier.index] for outlier in outliers], "causes": dict(causes)},
        Gain(
            time_ns=sum(outlier.excess_ns for outlier in outliers),
            of_ns=sum(_span(token) for token in evidence.tokens),
            of="the decode steps in the trace",
            basis="what they take beyond the median step",
        ),
    )


def slow_first_token(evidence: Evidence) -> Finding | None:
    """The first request, or each request's first step, is slower than the others."""
    manifest = evidence.trace.manifest
    if manifest is not None and len(manifest.clean) > FEWEST_STEPS:
        first, *rest = [one.vision_ns + one.prefill_ns for one in manifest.clean]
        usual = median(int64(rest))
        if usual and first > FIRST_REQUEST * usual:
            return finding(
                "slow-first-token",
                "warning",
                f"vision and prefill of the first request took {duration(first)}, of the others {duration(usual)}",
                {"first_ns": first, "others_ns": round(usual), "requests": len(manifest.clean)},
            )
    firsts = [token for token in evidence.tokens if token.index == 1]
    rest_ns = [_span(token) for token in evidence.tokens if token.index > 1]
    if not firsts or len(rest_ns) < 2 * FEWEST_STEPS or not evidence.on_gpu:
        return None
    first_ns, usual = median(int64([_span(token) for token in firsts])), median(int64(rest_ns))
    if not usual or first_ns <= FIRST_STEP * usual:
        return None
    return finding(
        "slow-first-token",
        "warning",
        f"the first decode step takes {duration(first_ns)}, the median of the others {duration(usual)}",
        {"first_ns": round(first_ns), "others_ns": round(usual), "requests": len(firsts)},
    )


def _span(token: Token) -> int:
    return token.busy_ns + token.idle_ns


def drift(evidence: Evidence) -> Finding | None:
    """The same steps take ever longer, or shorter, from request to request."""
    decoding = evidence.decoding
    if decoding is None or decoding.drift is None or not evidence.on_gpu:
        return None
    slope = decoding.drift
    steps_ns = decoding.device_time_ns * decoding.steps / decoding.requests
    change = slope.ns * (decoding.requests - 1) / steps_ns if steps_ns else 0.0
    if not (slope.low_ns > 0 or slope.high_ns < 0) or abs(change) <= DRIFT:
        return None
    return finding(
        "clock-or-thermal-drift",
        "warning",
        f"the same decode steps changed by {change:+.1%} on the device over {decoding.requests} requests",
        {"change": change, "ns_per_request": slope.ns, "low_ns": slope.low_ns, "high_ns": slope.high_ns},
    )


DECODE_RULES: tuple[Callable[[Evidence], Finding | None], ...] = (
    sync_per_token,
    host_to_device_copies,
    kv_growth,
    slow_first_token,
    token_outliers,
    drift,
)

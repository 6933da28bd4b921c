"""`memory-headroom`: which batch or context would fit on the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.findings.rule import Found, Rule, Unanswered

if TYPE_CHECKING:
    from tracer.document.summary import Footprint
    from tracer.findings.evidence import Evidence

# A batch that is that many times as large is worth knowing.
TIMES = 2
# Of what is free, so much is left alone: allocators need some room to move in.
LEFT_ALONE = 0.05
# No model keeps less of a token: where steps add less, ids and masks grow, and the cache was there before.
LEAST_KV = 1000
AGAIN = "record again with this version"

FINDING = Rule(
    id="memory-headroom",
    severity="info",
    rule="a batch at least twice as large as the recorded one would fit into the device's memory",
    reason=(
        "Where weights are read once a step, more sequences a step cost little. It is assumed that all that a request "
        "needs beyond what was there before it grows with the batch, that the allocator wastes as large a share as "
        "here, that nobody else takes more of the device, and that a twentieth of what is free stays so; a context "
        "grows by keys and values alone."
    ),
    next_step="raise the batch (tracer record --batch-size) or the context, and record again",
    rank=175,
)


def find(evidence: Evidence) -> Found | Unanswered | None:
    """How many sequences like the recorded ones, or how many more tokens, would fit."""
    held = evidence.footprint
    if held is None or held.highest is None or held.highest.peak_bytes is None or held.sequences is None:
        return None
    if held.device_bytes is None:
        return Unanswered("the recording does not say how much memory its device has", AGAIN)
    if held.outside_bytes is None:
        return Unanswered("the recording does not say what of its device's memory others use", AGAIN)
    kv = held.kv_token_expected_bytes
    ahead = held.kv_ahead or (held.kv_token_bytes is not None and held.kv_token_bytes < LEAST_KV)
    if ahead and kv is None:
        return Unanswered(
            "the cache was allocated ahead, and nothing says what of it a sequence takes",
            "record with a cache that grows (tracer record --decode eager)",
        )
    peak = held.highest.peak_bytes
    free = _free_bytes(held, peak, held.device_bytes - held.outside_bytes)
    # All beyond what was there before, and its part of a cache that was.
    each = (peak - held.before_bytes) / held.sequences + ((kv or 0) * held.tokens if ahead else 0)
    if free <= 0 or each <= 0:
        return None
    batch = held.sequences + int(free / each)
    if batch < TIMES * held.sequences:
        return None
    token = kv or held.kv_token_bytes or 0
    tokens = int(free / (held.sequences * token)) if token else None
    more = "" if tokens is None else f", or {tokens:,} more tokens of context"
    return Found(
        f"{free / 1e9:,.1f} GB of the device's {held.device_bytes / 1e9:,.1f} GB could be allocated beyond the peak: a "
        f"batch of {batch:,} instead of {held.sequences:,}{more} would fit",
        {
            "stage": held.highest.stage, "peak_bytes": peak, "device_bytes": held.device_bytes, "free_bytes": int(free),
            "sequence_bytes": int(each), "batch": batch, "more_tokens": tokens,
        },
    )  # fmt: skip


def _free_bytes(held: Footprint, peak: int, ours: int) -> float:
    """What of our part of the device could be allocated besides, if as large a share of what is held were wasted."""
    used = max(1.0, (held.reserved_bytes or peak) / peak) if peak else 1.0
    room = ours / used - peak
    return room * (1 - LEFT_ALONE)

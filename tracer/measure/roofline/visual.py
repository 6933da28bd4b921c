"""What one visual token costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import DECODE, PREFILL
from tracer.document.summary import VisualToken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.manifest import Manifest
    from tracer.document.summary import StageRoofline
    from tracer.peaks.peak import Peak


def visual_token(manifest: Manifest, rows: Sequence[StageRoofline], peak: Peak) -> VisualToken | None:
    """What one visual token costs, by the difference that all of them make.

    A decoder's pass over n positions with c cached ones takes n p + h + a n (c + n) operations: p for the matrix
    products of a position, h for the logits of the last, a for attention between two. Prefill and two decode steps give
    all three. None where a third decode step does not fit, as in models whose attention has a window.
    """
    cost, shape = manifest.cost, manifest.shape
    if cost is None or len(cost.decode) < 3 or not shape.visual_tokens:
        return None
    length = shape.visual_tokens + shape.prompt_tokens
    first, second, third = cost.decode[:3]
    attention = second.flops - first.flops
    if third.flops - second.flops != attention or length < 2 or not cost.prefill.flops:
        return None
    products = (cost.prefill.flops - attention * length**2 - first.flops + attention * (length + 1)) / (length - 1)
    text = shape.prompt_tokens
    saved = products * shape.visual_tokens + attention * (length**2 - text**2)
    kv_bytes = second.kv_bytes - first.kv_bytes
    by_stage = {row.stage: row for row in rows}
    prefill = by_stage.get(PREFILL)
    devices = by_stage[DECODE].devices if DECODE in by_stage else 1
    share = saved / cost.prefill.flops
    return VisualToken(
        count=shape.visual_tokens,
        prefill_flops=round(saved / shape.visual_tokens),
        prefill_share=share,
        prefill_ns=None if prefill is None else prefill.busy_ns * share / shape.visual_tokens,
        kv_bytes=kv_bytes,
        decode_ns=None if not peak.gbs else kv_bytes / (peak.gbs * devices),
    )

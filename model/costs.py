"""Analytic work of the parts that models share: floating-point operations and bytes.

A matrix product of [m, k] and [k, n] is 2 m k n operations. Attention is counted in full, without a
discount for the causal mask, which is what `torch.utils.flop_counter` counts and what the usual MFU does
(PaLM, arXiv:2204.02311, appendix B). A kernel that skips what the mask hides does fewer, `StageCost.least_flops`:
n positions with c cached ones before them see n c + n (n + 1) / 2 pairs of the n (c + n). Norms, activations and
softmax are left out, as there.
Bytes are those of the weights, once for every pass over them, and of the key/value cache; activations are
left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.staged import StageCost

if TYPE_CHECKING:
    from model.sizes import TextSize, VisionSize


def tower_flops(vision: VisionSize) -> int:
    """Operations of a CLIP tower over one picture."""
    tokens, hidden = vision.tokens, vision.hidden
    patches = 2 * (tokens - 1) * 3 * vision.patch**2 * hidden
    products = 2 * tokens * (4 * hidden * hidden + 2 * hidden * vision.mlp)
    attention = 4 * tokens * tokens * hidden
    return patches + vision.layers * (products + attention)


def tower_parameters(vision: VisionSize) -> int:
    """Parameters of a CLIP tower that a pass reads."""
    hidden = vision.hidden
    embeddings = 3 * vision.patch**2 * hidden + hidden + vision.tokens * hidden + 2 * hidden
    layer = 4 * hidden * hidden + 2 * hidden * vision.mlp + 9 * hidden + vision.mlp
    return embeddings + vision.layers * layer


def decoder_cost(text: TextSize, batch: int, new: int, cached: int, itemsize_bytes: int) -> StageCost:
    """Work of one pass over `new` positions with `cached` ones behind them; logits of the last one only."""
    width, kv_width = text.heads * text.head_dim, text.kv_heads * text.head_dim
    layer = 2 * text.hidden * (width + kv_width) + 3 * text.hidden * text.mlp
    head = text.hidden * text.vocabulary
    products = 2 * new * text.layers * layer + 2 * head
    pair = text.layers * 4 * width
    seen, hidden = new * cached + new * (new + 1) // 2, new * (new - 1) // 2
    norms = (2 * text.layers + 1) * text.hidden
    kv_per_position = 2 * text.layers * kv_width
    return StageCost(
        flops=batch * (products + pair * (seen + hidden)),
        least_flops=batch * (products + pair * seen),
        weight_bytes=itemsize_bytes * (text.layers * layer + head + norms),
        # The cached positions are read, the new ones written and read.
        kv_bytes=batch * itemsize_bytes * kv_per_position * (cached + 2 * new),
    )

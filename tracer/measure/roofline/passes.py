"""What a pass over several positions takes of a model, by the difference between its decode steps."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from tracer.document.summary import PassWork

if TYPE_CHECKING:
    from tracer.document.manifest import Costs


def pass_work(cost: Costs) -> PassWork | None:
    """A mean step's work, and what each further position adds.

    A step behind c cached positions takes p + a (c + 1) operations, p for the matrix products of a position and its
    logits, a for attention between two; two steps tell a. None where another does not fit, as in models whose
    attention has a window.
    """
    if len(cost.decode) < 3:
        return None
    grown = {(after.flops - before.flops, after.kv_bytes - before.kv_bytes) for before, after in pairwise(cost.decode)}
    pair, token_kv = grown.pop()
    if grown or min(pair, token_kv) < 0:
        return None
    steps = len(cost.decode)
    return PassWork(
        weight_bytes=sum(one.weight_bytes for one in cost.decode) / steps,
        kv_bytes=sum(one.kv_bytes for one in cost.decode) / steps,
        token_kv_bytes=token_kv,
        token_flops=sum(one.flops for one in cost.decode) / steps,
        pair_flops=pair,
    )

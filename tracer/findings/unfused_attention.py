"""`unfused-attention`: attention writes its scores to memory, and reads them again for a softmax of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.words import duration, whose
from tracer.findings.rule import EACH_STAGE, Found, Rule, Unanswered
from tracer.kernels.categories import categorise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.summary import Kernel
    from tracer.findings.evidence import Evidence

# The softmax over a vocabulary, or over experts, takes a hundredth or so; that of attention is there in each layer.
SHARE, FEWEST = 0.2, 4

FINDING = Rule(
    id="unfused-attention",
    severity="warning",
    rule=(
        "four or more of PyTorch's own softmax kernels take more than a fifth of a stage's device time, or of all "
        "where there are no stages"
    ),
    reason=(
        "So much softmax is attention's, whose scores of all positions with all others are written, read for the "
        "softmax, written and read again; fused attention keeps them on the multiprocessors. The gain is the softmax's "
        "time, of which little is left; the products beside it get faster too. There is none where the device mostly "
        "waits."
    ),
    next_step=(
        "fuse attention: attn_implementation='sdpa' or 'flash_attention_2' in transformers, or "
        "torch.nn.functional.scaled_dot_product_attention in a model of one's own"
    ),
    rests_on=EACH_STAGE,
    rank=108,
)


def find(evidence: Evidence) -> Found | Unanswered | None:
    """The stage with most time in softmax; of a trace without stages how much of it is."""
    if not evidence.on_gpu:
        return None
    of_ns = {name: time_ns for name, (_, time_ns) in evidence.kernels.items()}
    softmax = {name: _softmax(kernels) for name, (kernels, _) in evidence.kernels.items()}
    most = [name for name, (count, time_ns) in softmax.items() if count >= FEWEST and time_ns > SHARE * of_ns[name]]
    worst = max(most, key=lambda name: softmax[name][1], default=None)
    if worst is None:
        return None
    if not worst and evidence.lost is not None:  # what was not recorded may have been anything
        return Unanswered(evidence.lost.reason, evidence.lost.next_step)
    (count, time_ns), share = softmax[worst], softmax[worst][1] / of_ns[worst]
    return Found(
        f"{share:.0%} of {whose(worst)} device time is {count:,} softmaxes by themselves, {duration(time_ns)}: "
        "attention is not fused",
        {"stage": worst or None, "share": share, "count": count, "time_ns": time_ns},
        evidence.saves(evidence.less_busy_ns(worst, share), "the softmax's whole time; at most") if worst else None,
    )


def _softmax(kernels: Sequence[Kernel]) -> tuple[int, int]:
    """How many there are, and their time."""
    own = [one for one in kernels if "at::native::" in one.name and categorise(one.name) == "softmax"]
    return sum(one.count for one in own), sum(one.time_ns for one in own)

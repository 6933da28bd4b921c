"""Whether tokens that differ from the model's own are ties that rounding decides, or a mistake.

A pass over several tokens sums in another order than passes over one: with weights of two bytes the same logits come
out a little apart, and where two tokens are nearly as likely, another of them may be the likeliest. From there on the
answers differ rightly. So each token of an answer is held to what the model says behind that answer's own tokens before
it, in passes made anew over one token at a time, and to how far these lie from passes over several, measured likewise:
neither has anything to do with the caches of the rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from model.speculative.loop import stops_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from model.decoding.passes import CachedPasses

# By so many units of rounding of the largest logit passes over one token and over several may differ; more is no
# rounding. Measured with random weights in bfloat16 on a CPU: 1.0 at 2 layers, 1.7 at 16, 2.4 at 32.
UNITS = 8
# Types in which an answer must be the same, token for token.
EXACT = (torch.float32, torch.float64)


@dataclass(frozen=True, slots=True)
class Tie:
    """What the tokens of an answer lost against the likeliest.

    Attributes:
        margin: by how much the likeliest logit exceeds the one of the token that was said, where that is most.
        rounding: how far the same logits lie apart in passes over one token and over several, at most.
        unit: of rounding, of the largest logit.
        exact: whether the type of the weights leaves no room for ties.
    """

    margin: float
    rounding: float
    unit: float
    exact: bool

    @property
    def alike(self) -> bool:
        """Whether passes over several tokens say what passes over one do, but for rounding."""
        return self.rounding <= UNITS * self.unit

    @property
    def by_rounding(self) -> bool:
        """Whether it explains the difference: both logits may move by as much."""
        return not self.exact and self.alike and self.margin <= 2 * self.rounding

    @property
    def said(self) -> str:
        """The two figures, for people."""
        return (
            f"its logits lie up to {self.margin:.3g} below the likeliest, and passes over one token and over several "
            f"lie up to {self.rounding:.3g} apart"
        )


@torch.no_grad()
def tie_of(begin: Callable[[], CachedPasses], network: Any, said: torch.Tensor, count: int) -> Tie:
    """Judge an answer whose token 0 is the model's own.

    Args:
        begin: makes the prompt's pass.
        network: the model.
        said: int64 [B, N], padded behind a stop.
        count: tokens of the passes over several.
    """
    one, several = begin(), begin()
    said = said.to(one.device)
    alive = _alive(said, network)
    margin = rounding = largest = 0.0
    for first in range(0, said.shape[1] - 1, count):
        part = said[:, first : first + count][:, : said.shape[1] - 1 - first]
        length = part.shape[1]
        singly = torch.cat([one.logits(part[:, place : place + 1]).float() for place in range(length)], dim=1)
        together = several.logits(part, keep=length).float()
        live = alive[:, first + 1 : first + 1 + length]
        chosen = singly.gather(-1, said[:, first + 1 : first + 1 + length, None])[..., 0]
        margin = max(margin, _most(singly.max(dim=-1).values - chosen, live))
        rounding = max(rounding, _most((singly - together).abs().max(dim=-1).values, live))
        largest = max(largest, _most(singly.abs().max(dim=-1).values, live))
    unit = torch.finfo(network.dtype).eps * largest
    return Tie(margin=margin, rounding=rounding, unit=unit, exact=network.dtype in EXACT)


def _alive(said: torch.Tensor, network: Any) -> torch.Tensor:
    """Which tokens are an answer's, [B, N], and no padding: those behind no stop."""
    stops = torch.tensor(sorted(stops_of(network)[0]), dtype=said.dtype, device=said.device)
    stopped = torch.isin(said, stops).cumsum(dim=-1)
    return torch.cat([torch.ones_like(said[:, :1]), 1 - stopped[:, :-1].clamp(max=1)], dim=-1).bool()


def _most(values: torch.Tensor, live: torch.Tensor) -> float:
    """The largest value of a live token; what is no number is infinite."""
    kept = values[live].nan_to_num(nan=float("inf"))
    return float(kept.max()) if len(kept) else 0.0

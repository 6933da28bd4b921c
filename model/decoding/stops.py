"""The stopping test of a batch, as transformers' `generate` makes it: sequences that have stopped are padded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class StopTest:
    """When sequences end, and what is written behind their end.

    Attributes:
        ids: int64 [n], the stop tokens; None where nothing stops a sequence.
        pad_id: what a sequence that has stopped goes on with.
    """

    ids: torch.Tensor | None = None
    pad_id: int = 0

    def __call__(self, token: torch.Tensor, stopped: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The tokens [B, 1] to write, and which sequences have stopped with them, bool [B, 1]; None if none can."""
        if self.ids is None:
            return token, None
        if stopped is None:
            return token, torch.isin(token, self.ids)
        token = token.masked_fill(stopped, self.pad_id)
        return token, stopped | torch.isin(token, self.ids)


# Without stop tokens there is nothing to read back from the device, so no synchronisation either.
NEVER = StopTest()


def stop_test(network: Any, ids: Iterable[int]) -> StopTest:
    """The test for these stop tokens; the padding is what `generate` of the network takes."""
    known = list(dict.fromkeys(ids))
    if not known:
        return NEVER
    pad: int | None = network.generation_config.pad_token_id
    # So does `generate` where no padding is known.
    return StopTest(torch.tensor(known, device=network.device), known[0] if pad is None else pad)

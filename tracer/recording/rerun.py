"""Recording a run again with something changed, so that a prediction can be set beside a measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch

from model.registry import ModelOptions
from tracer.document.errors import InputError, MissingError
from tracer.recording.machine import describe_device
from tracer.recording.options import Drafting, RecordOptions
from tracer.recording.recorder import record
from tracer.recording.window import DecodeWindow, Schedule

if TYPE_CHECKING:
    from pathlib import Path

    from tracer.document.summary import Summary
    from tracer.recording.progress import Progress

REQUESTS = 5


class Rounds(Protocol):
    """How tokens are to be drafted: how many a round, accepted with which probability by position, by which draft."""

    @property
    def drafted(self) -> int:
        """Tokens a round."""
        ...

    @property
    def acceptance(self) -> tuple[float, ...]:
        """By position, if those before are accepted; the last goes on."""
        ...

    @property
    def draft(self) -> Summary | None:
        """A recording of the draft by itself."""
        ...


def rerun(
    run: dict[str, Any],
    output: Path,
    progress: Progress,
    *,
    batch_frames: bool = False,
    decode: str | None = None,
    speculate: Rounds | None = None,
) -> None:
    """Record into `output` what a summary's `run` describes, with the given changes.

    With `speculate` its draft, recorded by itself, drafts for it, and the acceptance is forced.

    Raises:
        InputError: the run cannot be repeated from what its recording says.
        MissingError: this machine has another device.
    """
    if run["weights"] != "random" or run["input"] != "synthetic":
        raise InputError(
            "only runs of random weights on the synthetic input can be repeated; record the change by hand"
        )
    device = "cuda" if run["device_type"] == "cuda" else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise MissingError(f"the trace is of {run['device']}, and torch sees no GPU here")
    here = str(describe_device(torch.device(device))["name"])
    if here != run["device"]:
        raise MissingError(f"the trace is of {run['device']}, this machine has {here}: they cannot be compared")
    drafting = None if speculate is None else _drafting(speculate, run)
    record(
        RecordOptions(
            model=run["model"],
            model_options=ModelOptions(
                size=run["size"],
                device=device,
                dtype=run["dtype"],
                seed=run["seed"],
                frames=run["frames"],
                prompt_tokens=run["prompt_tokens"],
                batch_size=run["batch_size"],
                batch_frames=batch_frames or run["batch_frames"],
                decode=decode or run["decode"],
                new_tokens=run["new_tokens"],
            ),
            output=output,
            requests=REQUESTS,
            max_new_tokens=run["new_tokens"],
            schedule=Schedule(wait=0, warmup=1, active=1, repeat=1),
            window=DecodeWindow(1, min(run["new_tokens"], 5)),
            drafting=drafting,
        ),
        progress,
    )


def _drafting(speculate: Rounds, target: dict[str, Any]) -> Drafting:
    draft = (speculate.draft.run if speculate.draft is not None else None) or {}
    same = all(draft.get(key) == target[key] for key in ("device", "dtype", "prompt_tokens", "batch_size"))
    if draft.get("weights") != "random" or draft.get("input") != "synthetic" or not same:
        raise InputError(
            "--verify repeats both recordings together: that of the draft must be of random weights on the synthetic "
            "input, on the same device, of the same type, prompt and batch"
        )
    return Drafting(
        model=draft["model"],
        size=draft["size"],
        tokens=speculate.drafted,
        acceptance=speculate.acceptance,
    )

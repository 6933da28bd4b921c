"""What a recording is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.registry import ModelOptions
from tracer.recording.window import DecodeWindow, Schedule
from tracer.recording.world.place import ALONE, Place

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUESTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafting:
    """A second model, which drafts for the recorded one.

    Attributes:
        model: name of a built-in model, or `hf:FOLDER`.
        size, device: None for the target's, as far as there are such.
        checkpoint: of the draft.
        tokens: drafted in a round.
        mapping: `FILE.py:FUNCTION` that maps ids; None where both models share theirs.
        acceptance: to force, by position; empty for the draft's own.
        schedule: "sequential" or "overlapped".
        sweep: numbers of drafted tokens and acceptances to measure besides; each of the ones with each of the others.
    """

    model: str
    size: str | None = None
    device: str | None = None
    checkpoint: Path | None = None
    tokens: int = 4
    mapping: str | None = None
    acceptance: tuple[float, ...] = ()
    schedule: str = "sequential"
    sweep: tuple[tuple[int, ...], tuple[tuple[float, ...], ...]] = ((), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOptions:
    """Options of one recording, already checked against each other.

    Attributes:
        model: name of a built-in model, `hf:FOLDER` or `FILE.py:FUNCTION`.
        model_options: how to build it.
        output: the file to write, `.json` or `.json.gz`.
        requests: measured requests of the clean pass; None for each sample of a data set once, else `REQUESTS`.
        max_new_tokens: tokens per answer, prefill's included.
        schedule: of the profiled pass; its `warmup` also precedes the clean pass.
        window: decode steps to profile.
        verify: whether to run the verify pass.
        couple: give stage 4 the pictures, so that it encodes them again.
        sync_stages: synchronise the device at stage boundaries of the profiled pass.
        with_stack, record_shapes, memory: torch.profiler's options.
        energy: whether to measure the device's energy.
        nsys: the program that records the profiled requests once more; None for no such pass.
        drafting: the model that drafts; None for one model alone.
        place: of this process among those that record the run.
        typed: names of the options that a person gave: a model of their own must take them.
    """

    model: str
    model_options: ModelOptions
    output: Path
    requests: int | None
    max_new_tokens: int
    schedule: Schedule
    window: DecodeWindow
    verify: bool = True
    couple: bool = False
    sync_stages: bool = False
    with_stack: bool = False
    record_shapes: bool = False
    memory: bool = False
    energy: bool = False
    nsys: Path | None = None
    drafting: Drafting | None = None
    place: Place = ALONE
    typed: tuple[str, ...] = ()


def from_json(fields: Mapping[str, Any]) -> RecordOptions:
    """The options whose `dataclasses.asdict` was written as JSON, paths as strings; without the pass under nsys."""
    model = dict(fields["model_options"])
    for name in ("checkpoint", "input", "dataset"):
        model[name] = None if model[name] is None else Path(model[name])
    drafting = fields.get("drafting")
    parts = {
        "model_options": ModelOptions(**model),
        "output": Path(fields["output"]),
        "schedule": Schedule(**fields["schedule"]),
        "window": DecodeWindow(**fields["window"]),
        "drafting": None if drafting is None else _drafting(drafting),
    }
    return RecordOptions(**{**fields, **parts, "nsys": None, "place": ALONE, "typed": ()})


def _drafting(fields: Mapping[str, Any]) -> Drafting:
    folder = fields["checkpoint"]
    acceptance = tuple(fields["acceptance"])
    parts = {"checkpoint": None if folder is None else Path(folder), "acceptance": acceptance, "sweep": ((), ())}
    return Drafting(**{**fields, **parts})

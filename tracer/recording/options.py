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
    place: Place = ALONE
    typed: tuple[str, ...] = ()


def from_json(fields: Mapping[str, Any]) -> RecordOptions:
    """The options whose `dataclasses.asdict` was written as JSON, paths as strings; without the pass under nsys."""
    model = dict(fields["model_options"])
    for name in ("checkpoint", "input", "dataset"):
        model[name] = None if model[name] is None else Path(model[name])
    parts = {
        "model_options": ModelOptions(**model),
        "output": Path(fields["output"]),
        "schedule": Schedule(**fields["schedule"]),
        "window": DecodeWindow(**fields["window"]),
    }
    return RecordOptions(**{**fields, **parts, "nsys": None, "place": ALONE, "typed": ()})

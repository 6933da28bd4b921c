"""What the requests of a recording are given: one sample, a batch of them, or the samples of a folder.

A sample is an event stream (`.npy`, `.npz`), a picture, a video, a folder of pictures, or synthetic. Every built-in
model takes every kind: events are drawn as pictures, and frames are taken evenly from a video.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from model.errors import InputError
from model.inputs.budget import PictureBudget
from model.inputs.events import EventStream, read_events, synthetic_events
from model.inputs.frames import rasterise
from model.inputs.limits import DEFAULT, SampleLimits
from model.inputs.pictures import SUFFIXES as PICTURES
from model.inputs.pictures import Picture, list_pictures, read_picture
from model.inputs.videos import SUFFIXES as VIDEOS
from model.inputs.videos import read_video

EVENTS = {".npy", ".npz"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One sequence's input.

    Attributes:
        name: to call it by.
        path: the data; None for a synthetic stream.
        prompt: its own question, where the data set has one.
        seed: of the synthetic stream and the random prompt.
        limits: how much its data may ask for.
    """

    name: str
    path: Path | None = None
    prompt: str | None = None
    seed: int = 0
    limits: SampleLimits = field(default=DEFAULT, repr=False)


def read_sample(sample: Sample, frames: int | None) -> EventStream | list[Picture]:
    """Read one sample: an event stream, or pictures, uint8 [height, width, 3]; host work only.

    With `frames` None a folder gives all of its pictures and a video all of its frames.

    Raises:
        InputError: the data cannot be read, or holds fewer pictures than asked for.
    """
    path = sample.path
    if path is None:
        return synthetic_events(sample.seed)
    if path.is_dir():
        pictures = list_pictures(path)
        wanted = frames or len(pictures)
        if len(pictures) < wanted:
            raise InputError(f"{path}: holds {len(pictures)} pictures, {wanted} are wanted (--frames)")
        budget = PictureBudget(sample.limits)
        return [read_picture(picture, budget) for picture in pictures[:wanted]]
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        return [read_picture(path, PictureBudget(sample.limits))] * (frames or 1)
    return read_video(path, frames, sample.limits) if suffix in VIDEOS else read_events(path, sample.limits)


def as_pictures(raw: EventStream | list[Picture], frames: int, limits: SampleLimits = DEFAULT) -> list[Picture]:
    """Pictures of a sample that was read: events are drawn as `frames` of them."""
    return rasterise(raw, frames, limits) if isinstance(raw, EventStream) else raw

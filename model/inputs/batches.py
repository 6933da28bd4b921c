"""Which samples each request is given: one, a batch of them, or a data set's in turn."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from model.errors import InputError
from model.inputs.datasets import read_dataset
from model.inputs.limits import DEFAULT, NO_LIMITS
from model.inputs.samples import Sample, as_pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.inputs.events import EventStream
    from model.inputs.pictures import Picture
    from model.registry import ModelOptions


@dataclass(frozen=True, slots=True)
class Loaded:
    """A batch that was read, sequence by sequence."""

    batch: tuple[Sample, ...]
    raws: list[EventStream | list[Picture]]

    def pictures(self, frames: int) -> list[list[Picture]]:
        """Each sequence's pictures: events are drawn as `frames` of them."""
        pairs = zip(self.batch, self.raws, strict=True)
        return [as_pictures(raw, frames, sample.limits) for sample, raw in pairs]


def batches_of(options: ModelOptions) -> tuple[tuple[Sample, ...], ...]:
    """The batches that requests take in turn; the last one of a data set may be smaller.

    Raises:
        InputError: there is no such data, or the data set holds none that can be read.
    """
    size, limits = options.batch_size, NO_LIMITS if options.no_limit else DEFAULT
    if options.dataset is not None:
        samples = read_dataset(options.dataset, seed=options.seed)
        if options.shuffle_seed is not None:
            random.Random(options.shuffle_seed).shuffle(samples)  # noqa: S311 -- no secret
        samples = samples[: options.max_samples]
    else:
        path = options.input
        if path is not None and not path.exists():
            raise InputError(f"{path}: no such file or folder")
        name = "synthetic" if path is None else path.name
        samples = [Sample(name, path, None, options.seed + number) for number in range(size)]
    samples = [replace(sample, limits=limits) for sample in samples]
    return tuple(tuple(samples[start : start + size]) for start in range(0, len(samples), size))


def batch_name(batch: Sequence[Sample]) -> str:
    """The names of a batch, once each."""
    return ", ".join(dict.fromkeys(sample.name for sample in batch))

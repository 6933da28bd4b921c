"""What a file of the folder `by` is: a way to break time down, the device's or the host's, as its `WAY`."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

import tracer.measure.by as folder
from tracer.charge.intervals import distinct
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracer.arrays import I32, I64
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.document.summary import HostRow
    from tracer.trace.columns import Trace


@dataclass(frozen=True, slots=True)
class Keys:
    """What each piece of work goes by.

    Attributes:
        names: the different ones.
        number: of each piece of work, index into names.
        by_external_id, wrong_external_ids: see `Operators`.
        graph_ops, graph_ops_named: how many were launched as graphs, and of how many of these it is known what they
            go by; 0 where a way does not ask.
    """

    names: list[str]
    number: I64
    by_external_id: int = 0
    wrong_external_ids: int = 0
    graph_ops: int = 0
    graph_ops_named: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to break device time down.

    Attributes:
        keys: what each piece of work goes by; raises InputError where the trace has none of what is asked for.
        meaning: its name and what it stands for, in a sentence for the report.
        needs: what must have been read of the trace.
    """

    keys: Callable[[Trace, Work], Keys]
    meaning: str
    needs: Want = Want.SUMMARY


@dataclass(frozen=True, slots=True, kw_only=True)
class HostWay:
    """A way to break the host's time down, which is no device time.

    Attributes:
        rows: all time in the stages, the most first; raises InputError where the trace has none of what is asked for.
        meaning, needs: as of a `Way`.
    """

    rows: Callable[[Trace, StageRanges, Work], list[HostRow]]
    meaning: str
    needs: Want = Want.SUMMARY


@cache
def ways() -> dict[str, Way | HostWay]:
    """All that there are, by name."""
    names = [one.name for one in pkgutil.iter_modules(folder.__path__)]
    return {name: import_module(f"{folder.__name__}.{name}").WAY for name in names}


def numbered(labels: Sequence[str], key: I64 | I32) -> Keys:
    """Number those of the labels that occur; equal ones are one.

    Args:
        labels: of each key.
        key: of each piece of work.
    """
    used = distinct(key)
    names = sorted({labels[number] for number in used})
    number_of = {name: number for number, name in enumerate(names)}
    renumbered = np.zeros(len(labels), dtype=np.int64)
    for number in used:
        renumbered[number] = number_of[labels[number]]
    return Keys(names, renumbered[key])

"""Of the frames that were read, those that are of a model: calls of its modules, of generation, and of waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import numpy as np

from tracer.trace.chrome.categories import MODULE_PREFIX, Group, generation_frame, telling_frame, waiting_frame
from tracer.trace.columns import SampledFrames

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer.trace.chrome.collected import Columns
    from tracer.trace.columns import Spans


class OfModel(TypedDict):
    """Columns of a trace."""

    modules: Spans
    generation: Spans
    stopped: Spans | None
    sampled: SampledFrames | None


def of_model(columns: Columns) -> OfModel:
    """Calls of modules, of transformers' generation, and of functions in which a thread waits; some of all frames."""
    every = columns.spans(Group.MODULE)

    def of(kind: Callable[[str], bool]) -> Spans:
        return every[np.array([kind(name) for name in columns.strings], dtype=np.bool_)[every.name]]

    stopped, windows = of(waiting_frame), columns.spans(Group.WINDOW)
    return OfModel(
        modules=of(lambda name: name.startswith(MODULE_PREFIX)),
        generation=of(generation_frame),
        stopped=stopped if len(stopped) else None,
        sampled=SampledFrames(of(telling_frame), windows) if len(windows) else None,
    )

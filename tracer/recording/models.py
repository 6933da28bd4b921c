"""The model that a recording is of: a built-in one, a folder, or somebody's own file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from model import registry
from tracer.recording.drafting import paired
from tracer.recording.own import files
from tracer.recording.own.spelling import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.staged import StagedModel
    from tracer.recording.options import RecordOptions
    from tracer.recording.own.adapter import OwnCallable


@contextmanager
def opened(options: RecordOptions) -> Iterator[StagedModel[Any, Any] | OwnCallable]:
    """Build the model that the options name, and keep what it needs while it is used.

    Raises:
        ModelError: the options, the checkpoint or the input cannot be right.
        TracerError: so it is with a file of somebody's own.
    """
    file = parse(options.model)
    if file is None:
        built = registry.find(options.model).build(options.model_options)
        yield built if options.drafting is None else paired(built, options, options.drafting)
        return
    with files.opened(file, options.model_options, options.typed) as model:
        yield model

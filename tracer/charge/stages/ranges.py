"""The stages of a trace: where each lies, and which request and token it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.arrays import I64
    from tracer.charge.stages.batch import Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """Why a source that knows of passes cannot say which stages they are.

    Attributes:
        what: could not be told.
        reason: why.
        next_step: what a person can do to have it told.
        needs: what else of the same file may tell.
    """

    what: str
    reason: str
    next_step: str
    needs: Want


@dataclass(frozen=True, slots=True)
class StageRanges:
    """The ranges that are stages, in the order of their start.

    Attributes:
        markers: whose they are.
        start_ns, end_ns, thread: where they lie.
        stage: index into ALL_STAGES.
        index: token index; -1 for stages without one.
        request: the request they belong to; -1 where the trace does not say.
        encoder_start_ns, encoder_end_ns, encoder_thread: the runs of the vision encoder, where marked.
        request_start_ns, request_end_ns: the requests, where the trace tells them.
        tokens: whether a decode step is known to yield one token of each sequence; else it is a pass, which may yield
            none, as a part of a prompt does, or several, as one that checks a draft.
    engine: bool = False
    labels: tuple[Label, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)

"""The stages of a trace: where each lies, and which request and token it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.document.names import ALL_STAGES
from tracer.trace.columns import Want

if TYPE_CHECKING:
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
        by_names: whether the file's own ranges would tell, if it has some and a person says which are stages.
    """

    what: str
    reason: str
    next_step: str
    needs: Want
    by_names: bool = False


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
        untold: without stages, why there are none where passes of a model were seen.
        confidence: from 0 to 1, of stages that are inferred from what repeats.
        engine: whether they are steps of a serving engine, which hold many requests each.
        labels: what the engine says of each step; empty without an engine.
        roles: of each range which of several models works in it, "" where nothing tells; of one model empty.
        passes: of each range how many forward passes it makes, -1 where nothing tells; empty if nobody asks.
        results: of each range that checks a draft how many tokens were drafted and how many of these accepted; None
            where nothing tells, empty where nothing does of any.
    """

    markers: str
    start_ns: I64
    end_ns: I64
    thread: I64
    stage: I64
    index: I64
    request: I64
    encoder_start_ns: I64
    encoder_end_ns: I64
    encoder_thread: I64
    request_start_ns: I64
    request_end_ns: I64
    tokens: bool = True
    untold: Untold | None = None
    confidence: float | None = None
    engine: bool = False
    labels: tuple[Label, ...] = ()
    roles: tuple[str, ...] = ()
    passes: tuple[int, ...] = ()
    results: tuple[tuple[int, int] | None, ...] = ()

    @classmethod
    def none(cls) -> StageRanges:
        """No stages at all."""
        no = int64([])
        return cls("none", no, no, no, no, no, no, no, no, no, no, no)

    def __len__(self) -> int:
        return int(self.start_ns.shape[0])

    @property
    def marked(self) -> bool:
        """Whether there are stages, and something in the trace says which: they are not inferred from what repeats."""
        return len(self) > 0 and self.confidence is None

    def of_request(self, request: int) -> StageRanges:
        """The stages of one request, and that request."""
        rows = np.flatnonzero(self.request == request)
        own = {
            name: getattr(self, name)[rows] for name in ("start_ns", "end_ns", "thread", "stage", "index", "request")
        }
        if not len(rows):
            return replace(self, **own)
        first, last = int(own["start_ns"].min()), int(own["end_ns"].max())
        whole = (self.request_start_ns <= first) & (self.request_end_ns >= last)
        inside = (self.encoder_start_ns >= first) & (self.encoder_end_ns <= last)
        return replace(
            self,
            **own,
            encoder_start_ns=self.encoder_start_ns[inside],
            encoder_end_ns=self.encoder_end_ns[inside],
            encoder_thread=self.encoder_thread[inside],
            request_start_ns=self.request_start_ns[whole],
            request_end_ns=self.request_end_ns[whole],
            labels=tuple(self.labels[row] for row in rows.tolist()) if self.labels else (),
            roles=tuple(self.roles[row] for row in rows.tolist()) if self.roles else (),
            passes=tuple(self.passes[row] for row in rows.tolist()) if self.passes else (),
            results=tuple(self.results[row] for row in rows.tolist()) if self.results else (),
        )

    def role_of(self, stage: str) -> str | None:
        """The one model that works in a stage; None of one model, where nothing tells, and where several do."""
        if not self.roles:
            return None
        rows = np.flatnonzero(self.stage == ALL_STAGES.index(stage))
        found = {self.roles[row] for row in rows.tolist()}
        return (found.pop() or None) if len(found) == 1 else None

    def open_times(self) -> tuple[I64, I64]:
        """Start and end of everything that is open on any thread: stages and requests."""
        start = np.concatenate([self.start_ns, self.request_start_ns])
        return start, np.concatenate([self.end_ns, self.request_end_ns])

"""Inside a script that `tracer record` runs: the recorder behind the marks, and the file that it leaves.

The script's own packages come first here; ours called `model` is never imported.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
import warnings
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer import staging

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tracer.document.manifest import Shape
    from tracer.recording.marks import Marks

RESULT = "sitting-{}.json"
# The sitting of a process that had stages and no request, in which nothing else was imported.
NO_REQUEST: dict[str, Any] = {
    "numbers": [], "requests": [], "stages": [], "clock": "host", "begun": 0, "beside": 0, "device": {}, "software": {}
}  # fmt: skip

_notes: dict[str, Any] = {}


def start(task: str) -> None:
    """Have the marks recorded as a file says, and the outcome written when the process ends.

    Of several ranks the first alone records. Nothing is imported before the first request.
    """
    if os.environ.get("RANK", "0") != "0":
        return
    recorder = _Waiting(Path(task))
    staging.attach(recorder)
    atexit.register(recorder.finish)
    os.register_at_fork(after_in_child=partial(staging.attach, None))


def note(**known: Any) -> None:
    """Keep what is known of a request."""
    _notes.update(known)


class _Waiting:
    """Waits for the first request, and leaves everything to a real recorder from then on."""

    def __init__(self, task: Path) -> None:
        self._task = task
        self._process = os.getpid()
        self._strays = 0
        self._lock = threading.Lock()
        self._marks: Marks | None = None
        self._noticing: AbstractContextManager[None] | None = None

    def begin_request(self) -> None:
        """The first one."""
        with self._lock:  # several threads may think that theirs is
            if self._marks is None:
                self._keep(b"")  # so that whoever waits knows of requests, however this process ends
                self._marks = self._make_marks()
            staging.attach(self._marks)
        self._marks.begin_request()

    def _make_marks(self) -> Marks:
        import msgspec

        from tracer.recording.allocator import WatchedMarks
        from tracer.recording.marks import noticing_profilers
        from tracer.recording.own.sitting import Profiling
        from tracer.recording.ranged import ProfiledMarks

        asked = msgspec.json.decode(self._task.read_bytes(), type=Profiling | None)
        if asked is None:
            marks: Marks = WatchedMarks(forget=False)
            self._noticing = noticing_profilers(marks)  # kept, since it ends with its last reference
            self._noticing.__enter__()
        else:
            warnings.filterwarnings("ignore", module=r"torch\.profiler.*")
            marks = ProfiledMarks(partial(asked.capture_on, folder=self._task.parent))
        marks.strays = self._strays
        return marks

    def end_request(self, *, failed: bool) -> None:
        """Of a request that began before the recording did."""

    def begin_stage(self, stage: str, index: int | None) -> None:  # noqa: ARG002 -- the interface's
        """A stage outside a request."""
        self._strays += 1

    def end_stage(self, stage: str, index: int | None) -> None:
        """It ends."""

    def yielded(self, tokens: int) -> None:
        """Of a stage outside a request."""

    def checked(self, drafted: int, accepted: int) -> None:
        """Likewise."""

    def passed(self, made: int) -> None:
        """Likewise."""

    def finish(self) -> None:
        """Write what was measured, if there was anything to measure."""
        if os.getpid() != self._process or not (self._marks or self._strays):
            return
        staging.attach(None)
        outcome = json.dumps(NO_REQUEST | {"strays": self._strays}).encode()
        if self._marks is not None:
            outcome = _outcome(self._marks)
        self._keep(outcome)

    def _keep(self, outcome: bytes) -> None:
        with suppress(OSError):  # of a process that outlives the command nobody waits for the outcome
            (self._task.parent / RESULT.format(self._process)).write_bytes(outcome)


def _outcome(marks: Marks) -> bytes:
    """The sitting, as JSON. All that this takes was imported when the first request began; now it is too late to."""
    import msgspec

    from tracer.recording.own.sitting import sitting_of
    from tracer.recording.ranged import ProfiledMarks

    captures = []
    if isinstance(marks, ProfiledMarks):
        marks.__exit__(None, None, None)
        captures = marks.files
    sitting = sitting_of(marks, captures)
    if _notes:
        sitting = msgspec.structs.replace(
            sitting, dtype=_notes["dtype"], architecture=_notes["architecture"], shape=_shape()
        )
    return msgspec.json.encode(sitting)


def _shape() -> Shape | None:
    """Token counts of the last request, of each sequence that it returned, as far as `generate` could see them."""
    from tracer.document.manifest import Shape

    prompt, answer, ids = (_notes[name] for name in ("prompt", "answer", "input_ids"))
    if prompt is None or getattr(answer, "ndim", 0) != 2:
        return None
    sequences, length = int(answer.shape[0]), int(prompt.shape[1])
    visual = 0 if ids is None or _notes["image_token"] is None else int((ids[0] == _notes["image_token"]).sum())
    return Shape(
        batch_size=sequences,
        frames=0,
        visual_tokens=visual,
        prompt_tokens=length - visual,
        # Where nobody counted them: an answer is behind its prompt, unless that was given as embeddings.
        new_tokens=_notes["tokens"] or max(0, int(answer.shape[1]) - (0 if ids is None else length)),
    )

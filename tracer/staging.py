"""Marks for code of your own: `with tracer.request():` around a request, `with tracer.stage("vision"):` in it.

Both are context managers and decorators. `tracer record` makes them take times and open ranges. Outside a recording
they open ranges where a profiler of somebody else's listens, `torch.profiler` or `nsys profile`; otherwise they do
nothing, in about a microsecond, and import nothing heavy.

A request is whatever one answer takes. The stages are `load`, `preprocess`, `vision`, `prefill` and `decode`; each may
be opened several times in a request, its times are added up, and of nested stages the innermost one counts.
Speculative decoding has `draft`, `map` and `verify` besides: `map` is what translates round k's draft into the target's
vocabulary, `with stage("verify", index=k) as checking:` the pass that checks it, and `checking.result(drafted=4,
accepted=2)` in it says what came of it.
`stage("decode", index=k)` is the step that yields token k; token 0 comes out of prefill. Without an index, `decode` is
all steps as a whole.
"""

from __future__ import annotations

import inspect
import os
import sys
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from operator import index as as_int
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from tracer.document.names import DECODE, DRAFT, MAP, MARKED, VERIFY, in_role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

Args = ParamSpec("Args")
Result = TypeVar("Result")

# Set where Nsight Systems, or something else that listens to NVTX, has this process under it.
NVTX_LISTENS = any(name in os.environ for name in ("NVTX_INJECTION64_PATH", "NSYS_PROFILING_SESSION_ID"))
# Set by `tracer record` for the script that it starts: the file that says what to do.
TASK_VARIABLE = "TRACER_TASK"
MOST_DRAFTED = 10**9


class Recorder(Protocol):
    """What a recording does at the marks. It must not raise because of where they stand."""

    def begin_request(self) -> None:
        """A request begins."""
        ...

    def end_request(self, *, failed: bool) -> None:
        """It ends; `failed` if by an exception."""
        ...

    def begin_stage(self, stage: str, index: int | None) -> None:
        """A stage begins."""
        ...

    def end_stage(self, stage: str, index: int | None) -> None:
        """It ends."""
        ...

    def yielded(self, tokens: int) -> None:
        """The stage that is open has yielded so many tokens more, of each sequence."""
        ...

    def checked(self, drafted: int, accepted: int) -> None:
        """The stage that is open has checked so many drafted tokens, and accepted so many of these."""
        ...

    def passed(self, made: int) -> None:
        """The stage that is open has made so many forward passes."""
        ...


_recorder: Recorder | None = None


# Opens ranges for other profilers than ours, from the first mark on behind which there may be one.
_bystander: Recorder | None = None


def _nobodys() -> Recorder | None:
    """Who hears the marks where nothing is recorded."""
    global _bystander
    if _bystander is None and (NVTX_LISTENS or "torch.profiler" in sys.modules):
        # By name, so that nobody who imports this module imports a recorder with it.
        _bystander = import_module("tracer.recording.own.bystander").Bystander()
    return _bystander


def attach(recorder: Recorder | None) -> None:
    """Have all marks of this process go to a recorder from now on; None for nowhere."""
    global _recorder
    _recorder = recorder


@contextmanager
def recorded_by(recorder: Recorder) -> Iterator[None]:
    """Have all marks go to a recorder while this is open."""
    before = _recorder
    attach(recorder)
    try:
        yield
    finally:
        attach(before)


def yielded(tokens: int) -> None:
    """Tell a recording that the open stage has yielded so many tokens more, of each sequence."""
    if _recorder is not None:
        _recorder.yielded(tokens)


def checked(drafted: int, accepted: int) -> None:
    """Tell a recording that the open stage has checked so many drafted tokens, and accepted so many of these."""
    if _recorder is not None:
        _recorder.checked(drafted, accepted)


def passed(made: int) -> None:
    """Tell a recording that the open stage has made so many forward passes."""
    if _recorder is not None:
        _recorder.passed(made)


class Silence:
    """Hears nothing: for staged models, whose stages the recording itself knows."""

    def begin_request(self) -> None:
        """See `Recorder`."""

    def end_request(self, *, failed: bool) -> None:
        """See `Recorder`."""

    def begin_stage(self, stage: str, index: int | None) -> None:
        """See `Recorder`."""

    def end_stage(self, stage: str, index: int | None) -> None:
        """See `Recorder`."""

    def yielded(self, tokens: int) -> None:
        """See `Recorder`."""

    def checked(self, drafted: int, accepted: int) -> None:
        """See `Recorder`."""

    def passed(self, made: int) -> None:
        """See `Recorder`."""


class _Mark:
    """What `request` and `stage` have in common: both decorate functions too."""

    __slots__ = ()

    def __enter__(self) -> object:
        raise NotImplementedError

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        raise NotImplementedError

    def __call__(self, function: Callable[Args, Result]) -> Callable[Args, Result]:
        """Decorate a function: each call of it is enclosed.

        Raises:
            TypeError: calling it runs nothing yet: it is a generator or a coroutine.
        """
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise TypeError(f"{function.__name__} runs after it is called; use `with` inside it")

        @wraps(function)
        def enclosed(*args: Args.args, **kwargs: Args.kwargs) -> Result:
            with self:
                return function(*args, **kwargs)

        return enclosed


class Request(_Mark):
    """See `request`."""

    __slots__ = ()

    def __enter__(self) -> None:
        if (recorder := _recorder or _bystander or _nobodys()) is not None:
            recorder.begin_request()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if (recorder := _recorder or _bystander) is not None:
            recorder.end_request(failed=kind is not None)


class Stage(_Mark):
    """See `stage`."""

    __slots__ = ("_index", "_stage")

    def __init__(self, stage: str, index: int | None) -> None:
        self._stage, self._index = stage, index

    def __enter__(self) -> Stage:
        if (recorder := _recorder or _bystander or _nobodys()) is not None:
            recorder.begin_stage(self._stage, self._index)
        return self

    def result(self, *, drafted: int, accepted: int) -> None:
        """Say inside a `verify` stage what came of it, of one sequence: it yields the accepted tokens and one more.

        Raises:
            TypeError: one of them is no whole number, of Python, NumPy or a tensor.
            ValueError: the stage checks nothing, or more is accepted than was drafted.
        """
        drafted, accepted = as_int(drafted), as_int(accepted)
        if self._stage.rpartition("/")[2] != VERIFY:
            raise ValueError(f"stage {self._stage!r} checks no draft: only verify has a result")
        if not 0 <= accepted <= drafted < MOST_DRAFTED:
            raise ValueError(f"drafted {drafted!r}, accepted {accepted!r}: accepted is from 0 to drafted")
        if (recorder := _recorder or _bystander) is not None:
            recorder.checked(drafted, accepted)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if (recorder := _recorder or _bystander) is not None:
            recorder.end_stage(self._stage, self._index)


_REQUEST = Request()


def request() -> Request:
    """Enclose one request, from what it is given to its last token.

    A request within a request is part of it.
    """
    return _REQUEST


def stage(name: str, index: int | None = None, *, role: str | None = None) -> Stage:
    """Enclose one stage of a request, one decode step, or a part of a round of speculative decoding.

    Args:
        name: "load", "preprocess", "vision", "prefill" or "decode"; "draft", "map" or "verify".
        index: the token that a decode step yields, 1 being the first after prefill's; of `draft`, `map` and
            `verify` the round, counted from 1. None for a stage as a whole.
        role: which of several models works in it. In speculative decoding that is known without: `draft` and
            `map` are the draft's, all else the `target`'s.

    Raises:
        ValueError: there is no such stage, it has no such index, or that is no role.
    """
    if name not in MARKED:
        raise ValueError(f"no stage {name!r}: choose from {', '.join(MARKED)}")
    if index is not None:
        _check_index(name, index)
    return Stage(name if role is None else in_role(role, name), index)


def _check_index(name: str, index: Any) -> None:
    if name not in (DECODE, DRAFT, MAP, VERIFY):
        raise ValueError(f"stage {name!r} has no tokens: only decode, draft, map and verify take an index")
    if not isinstance(index, int) or index < 1:
        kind = "steps count from 1 (token 0 comes out of prefill)" if name == DECODE else "rounds count from 1"
        raise ValueError(f"{name} index {index!r}: {kind}")


if TASK_VARIABLE in os.environ:
    # By name, so that nobody who imports this module imports a recorder with it.
    import_module("tracer.recording.own.child").start(os.environ[TASK_VARIABLE])

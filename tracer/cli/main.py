"""The `tracer` command: the one place where errors become a line and an exit code.

Nothing is imported before `main` runs, so that an interrupt finds somebody to catch it from the beginning.
"""

from __future__ import annotations

import gc
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

INTERRUPTED = 130
# By which others end us: `kill` and `timeout`, and a terminal that closes.
ENDING = (signal.SIGTERM, signal.SIGHUP)
# What a shell makes of a signal.
BY_SIGNAL = 128
# Set to anything, it has unexpected errors shown as Python shows them.
TRACEBACK_VARIABLE = "TRACER_TRACEBACK"


def main() -> NoReturn:
    """Run the command line and exit with the code that `tracer.document.errors` documents."""
    _on_interrupt(signal.default_int_handler, _leave)  # an exception would come out of the middle of an import
    gc.disable()  # most commands are over before garbage matters; `record` turns it on again
    from tracer.cli import streams

    streams.prepare()
    try:
        from tracer.cli.app import run, spread_budgets

        _on_interrupt(_leave, signal.default_int_handler)
        _on_ending()
        code = run(spread_budgets(sys.argv[1:]))
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = _interrupted()
    except Exception as error:
        code = _say(error)
    sys.exit(code)


def _on_interrupt(before: object, then: Callable[..., object]) -> None:
    """Change what an interrupt does, unless whoever started us has it ignored, or Python would refuse."""
    if signal.getsignal(signal.SIGINT) is before:
        try:  # noqa: SIM105 -- contextlib takes its time too
            signal.signal(signal.SIGINT, then)
        except ValueError:  # another thread than the main one
            pass


_ended_by = 0


def _on_ending() -> None:
    """Have the signals that end us tidy up as an interrupt does, unless whoever started us has them ignored."""
    ours = os.getpid()

    def end(number: int, _: object) -> None:
        global _ended_by
        if _ended_by or os.getpid() != ours:  # asked twice, or in a fork, which has nothing to tidy up
            os._exit(BY_SIGNAL + number)
        _ended_by = number
        raise KeyboardInterrupt(number)

    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            try:  # noqa: SIM105
                signal.signal(number, end)
            except ValueError:  # another thread than the main one
                pass


def _leave(*_: object) -> None:
    os.write(2, b"tracer: interrupted\n")
    os._exit(INTERRUPTED)


def _interrupted() -> int:
    if _ended_by:
        _complain(f"ended by {signal.Signals(_ended_by).name}")
        return BY_SIGNAL + _ended_by
    _complain("interrupted")
    return INTERRUPTED


def _say(error: Exception) -> int:
    """Say on stderr what went wrong, and return the exit code."""
    from tracer.cli import streams
    from tracer.document.errors import TracerError

    lost = streams.give_up_on_output(error)
    if isinstance(error, BrokenPipeError) and lost:  # the reader of our output has seen enough
        return 0
    known = isinstance(error, (TracerError, MemoryError)) or (isinstance(error, OSError) and error.filename is not None)
    if not known and os.environ.get(TRACEBACK_VARIABLE):
        raise error
    messages, code = words(error)
    for message in messages:
        _complain(message)
    return code


def words(error: Exception) -> tuple[list[str], int]:
    """What is said of an error, a line each, and the exit code."""
    from tracer.document.errors import TracerError

    if isinstance(error, TracerError):
        return [str(message) for message in error.args], error.exit_code  # of gates, one for each that failed
    if isinstance(error, OSError) and error.filename is not None:
        return [f"{error.filename}: {error.strerror or error}"], 1
    if isinstance(error, MemoryError):
        return ["out of memory on this machine"], 1
    ours = (
        f"{type(error).__name__}: {error} (in {_place(error)}); this is a mistake in tracer, not yours: "
        f"{TRACEBACK_VARIABLE}=1 shows what to report"
    )
    return [ours], 1


def _place(error: Exception) -> str:
    """The innermost line of ours that an error went through."""
    import traceback
    from pathlib import Path

    home = Path(__file__).parents[1]
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    ours = [f"{path.relative_to(home.parent)}:{line}" for path, line in frames if home in path.parents]
    return ours[-1] if ours else "a library"


def _complain(message: str) -> None:
    from tracer.cli.streams import tell

    tell(message)

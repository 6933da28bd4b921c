"""A Python that has imported what our commands import and forks for each of them; `support.typed` starts and asks it.

It runs nothing itself, since threads of PyTorch would not come along into the forks. Each line on the descriptor that
is its argument is a command; it answers on standard output with the process id at once, with the exit code at the end.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import sys
import tempfile
import threading
import traceback
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

LIGHT = ("rich.progress", "rich.table")
# But for what imports PyTorch, or does something when it is imported.
ROOMS, NOT_THOSE = ("tracer", "reports"), ("tracer.recording", "tracer.__main__")
HEAVY = ("torch.profiler", "torch._dynamo", "tracer.recording.recorder", "model.eventgpt.adapter", "model.hf.adapter")


def _prepare(modules: tuple[str, ...]) -> None:
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # as `record` sets it before it imports torch
    for module in modules:
        import_module(module)
    gc.collect()
    gc.freeze()


def _light() -> tuple[str, ...]:
    """All of ours that does without PyTorch."""
    found = (
        module.name for room in ROOMS for module in walk_packages(import_module(room).__path__, f"{room}.", _refuse)
    )
    return (*LIGHT, *(name for name in found if not name.startswith(NOT_THOSE)))


def _refuse(name: str) -> None:
    raise ImportError(name)


def _become(asked: dict[str, Any]) -> None:
    """Be the process that a shell would have started."""
    for descriptor, path in enumerate(asked["files"]):
        opened = os.open(path, os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_TRUNC)
        os.dup2(opened, descriptor)
        os.close(opened)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    tempfile.tempdir = None
    sys.path[0] = asked["folder"]
    sys.argv = ["tracer", *asked["arguments"]]


def _run() -> int:
    """The command; its exit code."""
    try:
        import_module("tracer.cli.main").main()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        sys.stderr.write(f"{end.code}\n")
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _end(code: int) -> None:
    """As an interpreter ends, but that it doesn't take apart what the fork shares with us: that copies all of it."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code)


def main() -> None:
    """Serve until the asking process closes its end."""
    asking = os.fdopen(int(sys.argv[1]), encoding="utf-8")
    answers = os.dup(1)
    os.set_inheritable(answers, False)
    _prepare(_light())
    warm = False
    for line in asking:
        asked = json.loads(line)
        if asked["heavy"] and not warm:
            _prepare(HEAVY)
            warm = True
        process = os.fork()
        if not process:
            asking.close()
            os.close(answers)
            _become(asked)
            _end(_run())
        os.write(answers, b"%d\n" % process)
        _, status = os.waitpid(process, 0)
        os.write(answers, b"%d\n" % os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()

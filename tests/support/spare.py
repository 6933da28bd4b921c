"""A Python that has imported what tests wait for and forks for each process that they start; `support.typed` starts it.

It runs nothing itself, since threads of PyTorch would not come along into the forks. Whoever connects sends a command
with its descriptors (`support.asking`) and is answered with the process id at once, with the exit code at the end: two
lines. The fork is killed when the asking process goes away, and everything ends when the process that owns us does.
"""

from __future__ import annotations

import array
import atexit
import fcntl
import gc
import importlib
import io
import os
import runpy
import signal
import socket
import sys
import tempfile
import threading
import traceback
import types
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from selectors import EVENT_READ, DefaultSelector

LIGHT = ("rich.progress", "rich.table")
# What only some commands import, and not everybody has.
OPTIONAL = ("distributed", "duckdb", "pandas", "pyarrow.parquet")
# But for what imports PyTorch, or does something when it is imported.
ROOMS, NOT_THOSE = ("tracer", "reports"), ("tracer.recording", "tracer.__main__")
HEAVY = ("torch.profiler", "torch._dynamo", "tracer.recording.recorder", "model.eventgpt.adapter", "model.hf.adapter")
# A program that is not ours finds none of ours imported: it may have a `model` of its own, and marks look at what the
# environment says when they are imported.
OURS = ("model", "reports", "tracer")
# Descriptors on the way from the numbers that they came by to those that they are to have.
ABOVE = 700


def _prepare(modules: tuple[str, ...]) -> None:
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # as `record` sets it before it imports torch
    gc.disable()  # of what is imported hardly anything is garbage
    for module in modules:
        import_module(module)
    for module in OPTIONAL:
        with suppress(ImportError):
            import_module(module)
    gc.collect()
    gc.freeze()
    gc.enable()


def _light() -> tuple[str, ...]:
    """All of ours that does without PyTorch."""
    found = (
        module.name for room in ROOMS for module in walk_packages(import_module(room).__path__, f"{room}.", _refuse)
    )
    return (*LIGHT, *(name for name in found if not name.startswith(NOT_THOSE)))


def _refuse(name: str) -> None:
    raise ImportError(name)


class _Asked:
    """A command, as it came over a connection.

    Raises:
        ConnectionError: it did not come whole.
    """

    def __init__(self, connection: socket.socket) -> None:
        size, ancillary, *_ = connection.recvmsg(8, socket.CMSG_SPACE(4 * 250))
        self.descriptors = array.array("i")
        for _, _, received in ancillary:
            self.descriptors.frombytes(received)
        content = b""
        while len(content) < int.from_bytes(size, "big"):
            content += (more := connection.recv(1 << 20))
            if not more:
                raise ConnectionError
        numbers, folder, count, *rest = content.split(b"\0")
        self.numbers = list(map(int, numbers.split()))
        self.folder = os.fsdecode(folder)
        self.words = list(map(os.fsdecode, rest[: int(count)]))
        self.environment = dict(item.split(b"=", 1) for item in rest[int(count) :])

    def become(self, path: list[str]) -> None:
        """Be the process that a shell would have started; `path` is that of a Python without PYTHONPATH."""
        above = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, ABOVE) for descriptor in self.descriptors]
        for descriptor in self.descriptors:
            os.close(descriptor)
        for number in {0, 1, 2} - set(self.numbers):
            os.close(number)
        for descriptor, number in zip(above, self.numbers, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            stream = _stream(number, getattr(sys, name)) if number in self.numbers else None
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.clear()
        os.environb.update(self.environment)
        os.chdir(self.folder)
        tempfile.tempdir = None
        theirs = [str(Path.cwd() / one) for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
        sys.path[:] = [*theirs, *path]
        importlib.invalidate_caches()


def _stream(number: int, before: io.TextIOWrapper) -> io.TextIOWrapper:
    """A standard stream as it was, on what has its number now: a stream keeps in mind whether it can be wound back."""
    at_once = before.write_through  # PYTHONUNBUFFERED
    buffer = open(number, "wb" if number else "rb", 0 if at_once else -1, closefd=False)  # noqa: SIM115
    options = {"line_buffering": not at_once and (number == 2 or buffer.isatty()), "write_through": at_once}
    return io.TextIOWrapper(buffer, before.encoding, before.errors, **options)


def _run(words: list[str]) -> int:
    """The command; its exit code."""
    try:
        if words[0] == "tracer":
            sys.path.insert(0, str(Path.cwd()))
            sys.argv = words
            import_module("tracer.cli.main").main()
        else:
            _python(words)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        sys.stderr.write(f"{end.code}\n")
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _python(words: list[str]) -> None:
    """What `python`, with these words behind it, does."""
    first = next(at for at, word in enumerate(words) if word not in ("-B", "-P"))
    safe, words = "-P" in words[:first], words[first:]
    if words[0] != "-m" or words[1].partition(".")[0] not in OURS:
        for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
            del sys.modules[name]
    sys.modules.pop("sitecustomize", None)
    with suppress(ModuleNotFoundError):
        import_module("sitecustomize")
    if words[0] == "-m":
        sys.path[:0] = [] if safe else [str(Path.cwd())]
        sys.argv = ["-m", *words[2:]]
        runpy._run_module_as_main(words[1])  # type: ignore[attr-defined]
        return
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    if words[0] == "-c":
        sys.path[:0] = [] if safe else [""]
        sys.argv = ["-c", *words[2:]]
        exec(words[1], main.__dict__)  # noqa: S102
        return
    sys.path.insert(0, str(Path(words[0]).resolve().parent))
    sys.argv = words
    main.__file__ = words[0]
    exec(compile(Path(words[0]).read_bytes(), words[0], "exec"), main.__dict__)  # noqa: S102


def _end(code: int) -> None:
    """As an interpreter ends, but that it doesn't take apart what the fork shares with us: that copies all of it."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    os._exit(code)


class _Server:
    """Forks for whoever connects."""

    def __init__(self, listening: socket.socket, owner: int) -> None:
        theirs = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        self._path = [folder for folder in sys.path[1:] if folder not in theirs]
        self._selector = DefaultSelector()
        self._listening = listening
        self._owner = os.pidfd_open(owner)
        self._wake, wakes = socket.socketpair()
        self._ours = [listening, self._wake, wakes]
        self._running: dict[int, socket.socket] = {}
        wakes.setblocking(False)
        signal.set_wakeup_fd(wakes.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for one in (listening, self._owner, self._wake):
            self._selector.register(one, EVENT_READ)

    def serve(self) -> None:
        """Until the owner ends."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._owner:
                    return self._kill()
                if key.fileobj is self._listening:
                    self._fork(self._listening.accept()[0])
                elif key.fileobj is self._wake:
                    self._wake.recv(4096)
                    self._reap()
                else:  # who asked is gone: nobody waits for the process
                    self._selector.unregister(key.fileobj)
                    for process in [one for one, connection in self._running.items() if connection is key.fileobj]:
                        os.kill(process, signal.SIGKILL)

    def _fork(self, connection: socket.socket) -> None:
        try:
            asked = _Asked(connection)
        except (ConnectionError, ValueError):
            connection.close()
            return
        process = os.fork()
        if not process:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._selector.close()
            os.close(self._owner)
            for one in (*self._ours, connection, *self._running.values()):
                one.close()
            asked.become(self._path)
            _end(_run(asked.words))
        for descriptor in asked.descriptors:
            os.close(descriptor)
        self._running[process] = connection
        self._selector.register(connection, EVENT_READ)
        _answer(connection, process)

    def _reap(self) -> None:
        while self._running:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                return
            connection = self._running.pop(process)
            _answer(connection, os.waitstatus_to_exitcode(status))
            with suppress(KeyError):
                self._selector.unregister(connection)
            connection.close()

    def _kill(self) -> None:
        for process in self._running:
            os.kill(process, signal.SIGKILL)


def _answer(connection: socket.socket, number: int) -> None:
    with suppress(OSError):
        connection.sendall(b"%d\n" % number)


def main() -> None:
    """Serve on the listening socket whose descriptor is the first argument, for the process of the second.

    A third and a fourth say that PyTorch is to be imported, and what stands in for Python where a fork starts one.
    """
    listening, owner, heavy, stand_in = sys.argv[1:]
    sys.executable = stand_in
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = _Server(socket.socket(fileno=int(listening)), int(owner))
    _prepare((*_light(), *(HEAVY if heavy == "heavy" else ())))
    server.serve()


if __name__ == "__main__":
    main()

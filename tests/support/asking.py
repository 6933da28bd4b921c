"""Asks `support.spare` for a process; as a program (`support.typed` writes it) it stands in for Python.

As that it starts in a hundredth of a second, so it imports as little as it can. It gives its descriptors away, passes
signals on, and ends as the process ended that it stands for. Where nobody answers it becomes the real Python.
"""

from __future__ import annotations

import _signal
import _socket
import os
import sys

PASSED_ON = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT, _signal.SIGUSR1)


def ask(address: str, words: list[str], folder: str, environment: dict[bytes, bytes], files: dict[int, int]) -> int:
    """Ask for a process with these words behind `python`, and return the descriptor on which it is answered.

    Args:
        address: of the spare one.
        words: the first is `tracer` for the command itself.
        folder: to start in.
        environment: all of it.
        files: which of our descriptors it is to have, by the number that each is to have there.

    Raises:
        OSError: nobody listens there.
    """
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.connect(address)
    numbers = b" ".join(b"%d" % number for number in files)
    items = [b"%b=%b" % item for item in environment.items()]
    content = b"\0".join([numbers, os.fsencode(folder), b"%d" % len(words), *map(os.fsencode, words), *items])
    descriptors = b"".join(descriptor.to_bytes(4, sys.byteorder) for descriptor in files.values())
    size = len(content).to_bytes(8, "big")
    connection.sendmsg([size], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)])
    connection.sendall(content)
    return connection.detach()


def _inherited() -> dict[int, int]:
    """Our descriptors that whoever started us left open for us."""
    found = {}
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 -- pathlib takes its time
        try:
            if number < 3 or os.get_inheritable(number):
                found[number] = number
        except OSError:  # that of the listing
            pass
    return found


def stand_in(address: str, python: str) -> None:
    """Be that Python."""
    early: list[int] = []
    pass_on = early.append

    def receive(sent: int, _: object) -> None:
        pass_on(sent)

    handled = [number for number in PASSED_ON if _signal.getsignal(number) != _signal.SIG_IGN]
    for number in handled:
        _signal.signal(number, receive)
    try:
        answers = ask(address, sys.argv[1:], os.getcwd(), dict(os.environb), _inherited())  # noqa: PTH109
    except OSError:
        os.execv(python, [python, *sys.argv[1:]])  # noqa: S606
    with os.fdopen(answers, "rb", 0) as lines:
        process = int(_line(lines))

        def pass_on(sent: int) -> None:
            try:  # noqa: SIM105 -- contextlib takes its time too
                os.kill(process, sent)
            except ProcessLookupError:
                pass

        while early:
            pass_on(early.pop(0))
        code = int(_line(lines))
    if code < 0:
        if -code != _signal.SIGKILL:
            _signal.signal(-code, _signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _line(lines: object) -> bytes:
    found = b""
    while not found.endswith(b"\n"):
        found += lines.read(1) or b"1\n"  # type: ignore[attr-defined]
    return found

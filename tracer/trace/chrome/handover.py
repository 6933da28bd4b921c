"""Handing texts to other processes, through memory that they share.

What is packed can be unpacked by one process only. It gives texts away as long as somebody has room for them, and
scans those that nobody has room for.
"""

from __future__ import annotations

import mmap
from array import array
from contextlib import suppress
from typing import TYPE_CHECKING

from tracer.trace.chrome.scanner import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

# Texts in a row go to the same process, so that their events are decoded together.
RUN_BYTES = 1 << 20
# Runs that wait for a process at most: enough that it never waits for the one that unpacks.
SLOTS = 4


class Handover:
    """Hands the texts of one process to `takers` others, which are forked after this is made.

    Attributes:
        place: of the run that the last offered text belongs to, in the order of the file.
    """

    def __init__(self, takers: int) -> None:
        self.place = -1
        self._channels = [_Channel() for _ in range(takers)]
        self._taker: _Channel | None = None
        self._room = 0

    def offer(self, text: Text) -> bool:
        """Give a text away if anybody has room for it; else it is the caller's, at `place`."""
        length = text.end - text.begin
        if length > self._room:
            self._end_run()
            self.place += 1
            self._room = RUN_BYTES
            free = (channel for channel in self._channels if channel.has_room())
            self._taker = next(free, None) if length <= RUN_BYTES else None
        self._room -= length
        if self._taker is None:
            return False
        self._taker.put(text)
        return True

    def end(self) -> None:
        """Send away what is left, and let the takers finish."""
        self._end_run()
        for channel in self._channels:
            channel.end()

    def _end_run(self) -> None:
        if self._taker is not None:
            self._taker.send(self.place)
            self._taker = None

    def taken(self, taker: int) -> Iterator[tuple[int, Text]]:
        """The texts that taker 0, 1, ... is given, with their places; called in its process."""
        for channel in self._channels:
            channel.forget_giver()  # so that the giver's death ends the wait for it
        return self._channels[taker].texts()


class _Channel:
    """Memory for some runs, and messages about them: place and lengths one way, a sign that it is free the other."""

    def __init__(self) -> None:
        import multiprocessing

        self._memory = mmap.mmap(-1, SLOTS * RUN_BYTES)
        self._giver, self._taker = multiprocessing.Pipe()
        self._lengths = array("q")
        self._begin = self._end = 0
        self._sent = 0
        self._free = SLOTS
        self._gone = False

    def has_room(self) -> bool:
        """Whether another run can be put here."""
        try:
            while not self._free and not self._gone and self._giver.poll():
                self._giver.recv_bytes()
                self._free += 1
        except (EOFError, OSError):
            self._gone = True  # its error is raised, or its death found, where its result is awaited
        return self._free > 0 and not self._gone

    def put(self, text: Text) -> None:
        """Add a text to the run that is being made."""
        if not self._lengths:
            self._begin = self._end = self._sent % SLOTS * RUN_BYTES
        length = text.end - text.begin
        with memoryview(text.content) as content:
            self._memory[self._end : self._end + length] = content[text.begin : text.end]
        self._end += length
        self._lengths.append(length)

    def send(self, place: int) -> None:
        """Let go of the run."""
        self._tell(array("q", [place, *self._lengths]).tobytes())
        self._lengths = array("q")
        self._sent += 1
        self._free -= 1

    def end(self) -> None:
        """Nothing more will come."""
        self._tell(b"")

    def _tell(self, message: bytes) -> None:
        try:
            self._giver.send_bytes(message)
        except OSError:
            self._gone = True

    def forget_giver(self) -> None:
        """Close the other end, which a fork has given this process as well."""
        self._giver.close()

    def texts(self) -> Iterator[tuple[int, Text]]:
        """What is put here, with its places."""
        begin = 0
        while message := self._taker.recv_bytes():
            place, *lengths = array("q", message)
            end = begin
            for length in lengths:
                yield place, Text(self._memory[end : end + length], 0, length)
                end += length
            with suppress(OSError):  # whoever gave it may be done by now
                self._taker.send_bytes(b"\0")
            begin = (begin + RUN_BYTES) % (SLOTS * RUN_BYTES)

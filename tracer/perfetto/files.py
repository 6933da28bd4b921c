"""Copying traces: what is plain by the system itself, what is packed block by block."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from tracer.recording.write.output import atomic_writer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracer.trace.source import Source

# igzip's fastest but one: traces of a tenth of their size, several hundred megabytes a second.
LEVEL = 1
THREADS = 2
PIECE_BYTES = 1 << 20


@contextmanager
def writer(path: Path) -> Iterator[IO[bytes]]:
    """Write a file whole or not at all; one that ends in `.gz` is packed, by several threads."""
    with atomic_writer(path, packed=_packed) as file:
        yield file


@contextmanager
def _packed(file: IO[bytes]) -> Iterator[IO[bytes]]:
    from isal import igzip_threaded

    opened: IO[bytes]
    with igzip_threaded.open(file, "wb", compresslevel=LEVEL, threads=THREADS) as opened:  # type: ignore[no-untyped-call]
        yield opened


def copy_bytes(source: Source, file: IO[bytes], begin: int, end: int) -> None:
    """Copy a part of a plain file."""
    with source.path.open("rb", buffering=0) as original:
        begin = _by_the_system(original.fileno(), file, begin, end)
        original.seek(begin)
        while begin < end and (block := original.read(min(end - begin, PIECE_BYTES))):
            file.write(block)
            begin += len(block)


def _by_the_system(original: int, file: IO[bytes], begin: int, end: int) -> int:
    """How far the kernel copied it, which moves nothing through this process."""
    try:
        file.flush()
        handle = file.fileno()
        while begin < end and (copied := os.copy_file_range(original, handle, end - begin, begin)):
            begin += copied
    except (AttributeError, OSError):  # another system, or other file systems on both sides
        pass
    return begin

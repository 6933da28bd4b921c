"""Bytes of a trace file, whatever it is packed in: plain, gzip, zstandard, a zip of one member, standard input.

The first bytes say what a file is, never its name.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from tracer.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

STDIN = "-"
# Small enough to stay in the processor's cache while it is searched.
BLOCK_BYTES = 256 << 10
GZIP_READ_BYTES = 64 << 10
GZIP, ZSTD, ZIP, SQLITE = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"SQLite format 3\0"
NSYS_REPORT, QDSTRM = b"NVIDIA ", b"U3w[END]"
BOM = b"\xef\xbb\xbf"


class Source(AbstractContextManager["Source"]):
    """A trace file that can be read from its beginning, block by block, as often as needed.

    Attributes:
        name: for messages.
        path: of a regular file; a temporary one for standard input.
        packed: whether it is compressed, so that it cannot be entered in the middle.
        size_bytes: on disk.
        damage: what was wrong with the packing, once a read has met it.
    """

    def __init__(self, path: str | Path) -> None:
        self.name = "standard input" if str(path) == STDIN else str(path)
        self._temporary: IO[bytes] | None = None
        self.damage: str | None = None
        try:
            self.path = self._spooled() if str(path) == STDIN else Path(path)
            self.size_bytes = self.path.stat().st_size
            with self.path.open("rb") as file:
                self.magic = file.read(16)
        except OSError as error:
            self.close()
            raise InputError(f"{self.name}: {error.strerror or error}") from None
        self.packed = self.magic.startswith((GZIP, ZSTD, ZIP))

    def _spooled(self) -> Path:
        """Standard input as a file, because a trace may be read more than once."""
        import shutil
        import tempfile

        self._temporary = tempfile.NamedTemporaryFile(prefix="tracer-", suffix=".stdin")  # noqa: SIM115
        shutil.copyfileobj(sys.stdin.buffer, self._temporary, 1 << 20)
        self._temporary.flush()
        return Path(self._temporary.name)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what standard input was kept in."""
        if self._temporary is not None:
            self._temporary.close()
            self._temporary = None

    def blocks(self, start: int = 0) -> Iterator[bytes]:
        """The unpacked content in blocks; of an unpacked file, from byte `start` on.

        Packing that breaks off or is damaged ends the content there and is noted in `damage`.

        Raises:
            InputError: the file cannot be read, or a zip has not exactly one member.
        """
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(start)
                yield from self._unpacked(file)
        except _packing_errors(self.magic) as error:
            self.damage = str(error) or "it breaks off"
        except OSError as error:
            raise InputError(f"{self.name}: {error.strerror or error}") from None

    def read_all(self) -> bytes:
        """The whole unpacked content.

        Raises:
            InputError: it does not fit in memory, or cannot be read.
        """
        try:
            return b"".join(self.blocks())
        except MemoryError:
            raise InputError(f"{self.name}: does not fit in memory") from None

    def _unpacked(self, file: IO[bytes]) -> Iterator[bytes]:
        if self.magic.startswith(GZIP):
            yield from _gunzip(file)
        elif self.magic.startswith(ZSTD):
            import zstandard

            yield from _reads(zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True))
        elif self.magic.startswith(ZIP):
            yield from _reads(_open_zip(self.name, file))
        else:
            yield from _reads(file)


def _reads(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(BLOCK_BYTES):
        yield block


def _gunzip(file: IO[bytes]) -> Iterator[bytes]:
    """Unpack the members of a gzip file one after another, giving out all that precedes any damage.

    Raises:
        EOFError: the file ends inside a member.
    """
    from isal import igzip_lib

    packed = b""
    while True:
        unpacker = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        while not unpacker.eof:
            if unpacker.needs_input:
                packed = packed or file.read(GZIP_READ_BYTES)
                if not packed:
                    raise EOFError("it breaks off")
            if block := unpacker.decompress(packed, BLOCK_BYTES):
                yield block
            packed = b""
        packed = unpacker.unused_data or file.read(GZIP_READ_BYTES)
        if not packed.startswith(GZIP):
            return  # padding, or the end


def _packing_errors(magic: bytes) -> tuple[type[Exception], ...]:
    """The errors that the unpacker of such a file raises for damage."""
    if magic.startswith(GZIP):
        from isal import igzip_lib

        return EOFError, cast("type[Exception]", igzip_lib.error)
    if magic.startswith(ZSTD):
        import zstandard

        return EOFError, zstandard.ZstdError
    if magic.startswith(ZIP):
        import zipfile
        import zlib

        return EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError
    return ()


def _open_zip(name: str, file: IO[bytes]) -> IO[bytes]:
    import zipfile

    archive = zipfile.ZipFile(file)
    members = [info for info in archive.infolist() if not info.is_dir()]
    if len(members) != 1:
        raise InputError(f"{name}: a zip of {len(members)} files; unpack it and name one")
    if members[0].flag_bits & 1:
        raise InputError(f"{name}: an encrypted zip")
    return archive.open(members[0])

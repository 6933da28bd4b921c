"""Bytes of a trace file, whatever it is packed in: plain, gzip, zstandard, a zip of one member, standard input.

The first bytes say what a file is, never its name.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from tracer.document.errors import InputError
from tracer.trace.limits import ADVICE, DEFAULT, Limits, OverLimitError, in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

STDIN = "-"
# Small enough to stay in the processor's cache while it is searched.
BLOCK_BYTES = 256 << 10
GZIP_READ_BYTES = 64 << 10
PIECE_BYTES = 512
# Fewer bytes than this are not worth a search.
SMALL_BYTES = 4 << 10
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
        limits: how much the file may ask for.
    """

    def __init__(self, path: str | Path, limits: Limits = DEFAULT) -> None:
        self.limits = limits
        self.name = "standard input" if str(path) == STDIN else _as_text(path)
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
            InputError: the file cannot be read, a zip has not exactly one member, or it unpacks to more than it may.
        """
        passed = 0
        most = self.limits.most_unpacked(self.size_bytes) if self.packed else None
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(start)
                read = self._reader(file)
                while block := read(BLOCK_BYTES):
                    yield block
                    passed += len(block)
                    if most is not None and passed > most:
                        raise self._refused(f"{in_words(self.size_bytes)} that unpack to more than {in_words(most)}")
        except _packing_errors(self.magic) as error:
            self.damage = str(error) or "it breaks off"
            yield from self._before_damage(passed)
        except OSError as error:
            raise InputError(f"{self.name}: {error.strerror or error}") from None

    def _before_damage(self, passed: int) -> Iterator[bytes]:
        """What lies in front of the damage in the block behind the first `passed` bytes: in pieces, then in bytes.

        What was read before is read again in the same steps, since how far an unpacker gets depends on them.
        """
        pieces: list[bytes] = []
        with self.path.open("rb", buffering=0) as file, suppress(*_packing_errors(self.magic)):
            read = self._again(file, passed)
            while piece := read(PIECE_BYTES):
                pieces.append(piece)
        with self.path.open("rb", buffering=0) as file, suppress(*_packing_errors(self.magic)):
            read = self._again(file, passed)
            for _ in range(len(pieces)):
                read(PIECE_BYTES)
            while byte := read(1):
                pieces.append(byte)
        if pieces:
            yield b"".join(pieces)

    def _again(self, file: IO[bytes], passed: int) -> Callable[[int], bytes]:
        """A reader behind the first `passed` bytes."""
        read = self._reader(file)
        while passed:
            passed -= len(read(BLOCK_BYTES))
        return read

    def read_all(self) -> bytes:
        """The whole unpacked content, to be decoded as one document.

        Raises:
            InputError: it does not fit in memory, would not once it is decoded, or cannot be read.
        """
        try:
            text = b"".join(self._counted())
            self.limits.check_document(text)
        except MemoryError:
            raise InputError(f"{self.name}: does not fit in memory") from None
        except OverLimitError as error:
            raise self._refused(str(error)) from None
        return text

    def _refused(self, why: str) -> InputError:
        return InputError(f"{self.name}: {why}; {ADVICE}")

    def _counted(self) -> Iterator[bytes]:
        size_bytes = 0
        for block in self.blocks():
            size_bytes += len(block)
            self.limits.check_text(size_bytes)
            yield block

    def _reader(self, file: IO[bytes]) -> Callable[[int], bytes]:
        """A function that reads so many bytes or fewer of the unpacked content; none at its end."""
        if self.magic.startswith(GZIP):
            return _Gunzip(file).read
        if self.magic.startswith(ZSTD):
            import zstandard

            return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read
        return _Unzip(self.name, file).read if self.magic.startswith(ZIP) else file.read


class _Gunzip:
    """Unpacks the members of a gzip file one after another."""

    def __init__(self, file: IO[bytes]) -> None:
        from isal import igzip_lib

        self._new = partial(igzip_lib.IgzipDecompressor, flag=igzip_lib.DECOMP_GZIP)
        self._file = file
        self._unpacker = self._new()
        self._packed = b""

    def read(self, size: int) -> bytes:
        """Read so many bytes or fewer; none at the end. Members may be tiny: what is read is not.

        Raises:
            EOFError: the file ends inside a member.
        """
        pieces = [self._piece(size)]
        length = len(pieces[0])
        while 0 < length < min(size, SMALL_BYTES):
            try:
                piece = self._piece(size - length)
            except EOFError:
                break  # met again by the next read
            if not piece:
                break
            pieces.append(piece)
            length += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _piece(self, size: int) -> bytes:
        while True:
            unpacker = self._unpacker
            if unpacker.eof:
                packed = unpacker.unused_data
                while len(packed) < len(GZIP) and (more := self._file.read(GZIP_READ_BYTES)):
                    packed += more
                if not packed.startswith(GZIP):
                    return b""  # padding, or the end
                unpacker = self._unpacker = self._new()
                self._packed = packed
            if unpacker.needs_input and not self._packed:
                self._packed = self._file.read(GZIP_READ_BYTES)
                if not self._packed:
                    raise EOFError("it breaks off")
            packed, self._packed = self._packed, b""
            if block := unpacker.decompress(packed, size):
                return bytes(block)


def _as_text(path: str | Path) -> str:
    """A path as text; the bytes of one that is none are spelled out."""
    return str(path).encode("utf-8", "backslashreplace").decode()


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


class _Unzip:
    """Reads the one member of a zip; unlike zipfile, it gives the end away before it doubts it."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        import zipfile

        archive = zipfile.ZipFile(file)
        members = [info for info in archive.infolist() if not info.filename.endswith("/")]
        if len(members) != 1:
            raise InputError(f"{name}: a zip of {len(members)} files; unpack it and name one")
        if members[0].flag_bits & 1:
            raise InputError(f"{name}: an encrypted zip")
        self._expected = members[0].CRC
        del members[0].CRC  # where there is none, zipfile does not look
        self._member = archive.open(members[0])
        self._found = 0

    def read(self, size: int) -> bytes:
        """Read so many bytes or fewer; none at the end.

        Raises:
            EOFError: all has been read, and it is not what was packed.
        """
        from isal.isal_zlib import crc32

        block = self._member.read(size)
        self._found = crc32(block, self._found)
        if not block and self._found != self._expected:
            raise EOFError("its checksum is wrong")
        return block

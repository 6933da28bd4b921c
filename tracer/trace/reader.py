"""From a path to a `Trace`: the first bytes say what a file is, never its name."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from tracer.errors import InputError
from tracer.trace.chrome.document import read_document

if TYPE_CHECKING:
    from tracer.trace.columns import Trace, Want

GZIP_MAGIC = b"\x1f\x8b"


def read_trace(path: str | Path, want: Want) -> Trace:
    """Read a trace file.

    Raises:
        InputError: it is missing, damaged, or no trace.
    """
    path = Path(path)
    data = _read_bytes(path)
    if not data.strip():
        raise InputError(f"{path}: empty; a trace is a JSON file from torch.profiler or tracer record")
    if data[:64].lstrip()[:1] not in (b"{", b"["):
        raise InputError(f"{path}: not a trace (a Chrome trace is JSON, plain or gzipped)")
    return read_document(str(path), data, want)


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP_MAGIC
            file.seek(0)
            return gzip.GzipFile(fileobj=file).read() if packed else file.read()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged gzip ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except MemoryError:
        raise InputError(f"{path}: does not fit in memory") from None

"""What a file is: the hash of its bytes, whatever its name and wherever it lies."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BLOCK_BYTES = 1 << 20
DIGEST_BYTES = 16


def identity(path: Path) -> str:
    """32 hexadecimal digits: BLAKE2b over the length in bytes and the bytes.

    Raises:
        OSError: it cannot be read.
    """
    size_bytes = path.stat().st_size
    found = _hash(size_bytes)
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            found.update(block)
    return found.hexdigest()


def identity_of_name(path: str) -> str:
    """Of a file that nobody can read, so that its name is all there is."""
    found = _hash(-1)
    found.update(path.encode("utf-8", "backslashreplace"))
    return found.hexdigest()


def _hash(size_bytes: int) -> hashlib.blake2b:
    return hashlib.blake2b(size_bytes.to_bytes(8, "big", signed=True), digest_size=DIGEST_BYTES)

"""How the C library hands memory out."""

from __future__ import annotations

import ctypes

# How many events make a file large.
MANY_EVENTS = 1_000_000
# Of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGE, _COLUMN = 1 << 30, 1 << 17


def keep_freed_pages() -> None:
    """Have glibc use freed memory again instead of giving it back to the system; elsewhere, do nothing.

    Columns of tens of megabytes come and go, and fetching fresh pages for each took a third of the time of a large
    summary. The peak grows by a twentieth.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_TRIM_THRESHOLD, _LARGE)


def give_back_freed_pages(events: int) -> None:
    """Have glibc give the system what is free now, and from here on what is freed of columns; elsewhere, or after
    reading fewer events than make a file large, do nothing.

    Reading leaves many small holes, which no column of megabytes fits into.
    """
    if events < MANY_EVENTS:
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        give_back_columns()
        trim(0)


def give_back_columns() -> None:
    """Have glibc give the system what is freed of columns as soon as it is freed; elsewhere, do nothing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _COLUMN)

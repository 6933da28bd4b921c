"""How the C library hands memory out."""

from __future__ import annotations

import ctypes

# Of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGE = 1 << 30


def keep_freed_pages() -> None:
    """Have glibc use freed memory again instead of giving it back to the system; elsewhere, do nothing.

    Columns of tens of megabytes come and go, and fetching fresh pages for each took a third of the time of a large
    summary. The peak grows by a twentieth.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_TRIM_THRESHOLD, _LARGE)

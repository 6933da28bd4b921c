"""Names from a file, cut to a length that patterns and tables can take."""

from __future__ import annotations

import hashlib

# The longest name in a hundred real traces, a kernel's with all of its template, has 5,123 characters.
LONGEST_NAME = 8192
# What is kept of a longer one: what a name begins with says what it is, and its end which one.
HEAD, TAIL = 6144, 1024


def cut(name: str) -> str:
    """The name, or of one that nobody can have given in earnest its ends; different names stay different.

    The work of a pattern may grow with the square of a name's length, and a name of megabytes would be copied into
    every row of a summary.
    """
    if len(name) <= LONGEST_NAME:
        return name
    mark = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{name[:HEAD]}...[{len(name) - HEAD - TAIL:,} characters, {mark}]...{name[-TAIL:]}"

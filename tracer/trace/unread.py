"""What to say of a file whose work is not read, wherever something of it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.errors import InputError

if TYPE_CHECKING:
    from tracer.trace.columns import Trace, Unread


def why_unread(unread: Unread) -> str:
    """By whom it was written, and why that is not read."""
    return f"written by {unread.producer}: {unread.reason}" if unread.producer else unread.reason


def refuse_unread(trace: Trace) -> None:
    """Refuse a trace that has no rows for that reason: an empty answer would be taken for no work.

    Raises:
        InputError: it is one.
    """
    if trace.unread is not None:
        why = why_unread(trace.unread)
        raise InputError(f"{trace.path}: its work is not read: {why}; {trace.unread.next_step}")

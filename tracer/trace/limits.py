"""How much a file may ask for before it is refused: honest ones stay far below, whatever their size.

A packed file can unpack to a thousand times its size and more, and what it unpacks to can take forty times as much
memory again. So these limits grow with the file, from a floor that no honest file of any size meets.
"""

from __future__ import annotations

from dataclasses import dataclass

ADVICE = "--no-limit reads it all the same"
# Of real traces, gzip makes a twelfth to a twentieth, zstandard with a long window a fortieth.
TIMES_PACKED = 100
# Of a real trace, an event takes 15 bytes or more where it is packed.
PACKED_BYTES_PER_EVENT = 4
# Memory of a document, at worst: for each object, or for each value of a list, and times its text.
OBJECT_BYTES, VALUE_BYTES, TIMES_TEXT = 400, 80, 2


class OverLimitError(Exception):
    """A file asks for more than its limits allow; the message says what of, without the file's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The floors of what a file may ask for; None is without limit.

    Attributes:
        unpacked_bytes: content of a packed file; a larger file may have a hundred times its size.
        kept_events: events of a packed file that are kept, of about 300 bytes each; a larger file may have one for
            each 4 bytes.
        event_bytes: text of a single event.
        document_bytes: memory of a trace or a summary that is read as one document, estimated before it is.
    """

    unpacked_bytes: int | None = 4 << 30
    kept_events: int | None = 10_000_000
    event_bytes: int | None = 256 << 20
    document_bytes: int | None = 8 << 30

    def most_unpacked(self, packed_bytes: int) -> int | None:
        """How many bytes a packed file of this size may unpack to."""
        return None if self.unpacked_bytes is None else max(self.unpacked_bytes, TIMES_PACKED * packed_bytes)

    def most_events(self, packed_bytes: int, processes: int) -> int | None:
        """How many events one of so many processes may keep of a packed file of this size."""
        if self.kept_events is None:
            return None
        whole = max(self.kept_events, packed_bytes // PACKED_BYTES_PER_EVENT)
        return whole if processes == 1 else 2 * whole // processes  # they do not all get the same

    def check_text(self, size_bytes: int) -> None:
        """Refuse a text that is too large to be read as one document, whatever it holds.

        Raises:
            OverLimitError: it is.
        """
        if self.document_bytes is not None and size_bytes * TIMES_TEXT * 2 > self.document_bytes:
            raise OverLimitError(f"too large to be read as one document ({in_words(size_bytes)} or more)")

    def check_document(self, text: bytes) -> None:
        """Refuse a document that would take too much memory.

        Raises:
            OverLimitError: it would.
        """
        if self.document_bytes is None:
            return
        values = max(OBJECT_BYTES * text.count(b"{"), VALUE_BYTES * (text.count(b",") + text.count(b"[")))
        estimate = TIMES_TEXT * len(text) + values
        if estimate > self.document_bytes:
            raise OverLimitError(f"as one document it would take {in_words(estimate)} of memory")


DEFAULT = Limits()
NO_LIMITS = Limits(unpacked_bytes=None, kept_events=None, event_bytes=None, document_bytes=None)


def limits(*, lifted: bool) -> Limits:
    """The limits as they are, or none."""
    return NO_LIMITS if lifted else DEFAULT


def in_words(size_bytes: int) -> str:
    """So many bytes, in gigabytes or megabytes."""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"

"""What a report is made of before it is text, Markdown or anything else.

Parts make blocks of documents, renderers make text of blocks, and neither knows the other. Every text in here may come
from a file and is untrusted: a renderer spells out control characters and escapes its own markup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

Role = Literal["", "strong", "dim", "good", "bad", "caution"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line.

    Attributes:
        text: untrusted.
        role: what it says by its look.
        named: whether it is a name from a file, which Markdown sets as code.
    """

    text: str
    role: Role = ""
    named: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of running text, which wraps; `role` is that of the whole line."""

    pieces: tuple[Piece, ...]
    role: Role = ""


def line(*pieces: str | Piece, role: Role = "") -> Line:
    """A line of texts and pieces."""
    return Line(tuple(Piece(piece) if isinstance(piece, str) else piece for piece in pieces), role)


@dataclass(frozen=True, slots=True)
class Curve:
    """Values over their index, drawn between the first and the last; `stage` gives the colour.

    `since` and `until` name those two where some before or behind them are not known.
    """

    values: Sequence[int]
    first: str
    last: str
    stage: str
    since: str = "first"
    until: str = "last"


@dataclass(frozen=True, slots=True)
class Bar:
    """A cell of a length that stands for `part` of `whole`, with its figure."""

    text: str
    part: float
    whole: float


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: its heading.
        right: whether figures are set to the right.
        rank: 0 stays whatever the width; narrow terminals leave out the highest first.
        named: whether it holds names from files, which may be long and are cut to the room that is left.
        wraps: whether it holds running text, which goes on in the next line.
    """

    name: str
    right: bool = True
    rank: int = 0
    named: bool = False
    wraps: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Cells, one for each column; `mark` says what the whole row is."""

    cells: Sequence[str | Bar]
    mark: Role = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns.

    Attributes:
        columns, rows: rows have a cell for each column.
        ruled: draws a line below the headings.
    """

    columns: Sequence[Column]
    rows: Sequence[Row]
    ruled: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a note says of one column: left out where the column is."""

    column: str
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """How to read what stands above, in sentences."""

    sentences: tuple[str | Sentence, ...]

    def text(self, left_out: Collection[str] = ()) -> str:
        """All sentences but those on columns that were left out."""
        plain = [one for one in self.sentences if not (isinstance(one, Sentence) and one.column in left_out)]
        return " ".join(one.text if isinstance(one, Sentence) else one for one in plain)


def note(*sentences: str | Sentence | None) -> Note:
    """A note of the sentences that are not empty."""
    return Note(tuple(sentence for sentence in sentences if sentence))


@dataclass(frozen=True, slots=True)
class Caution:
    """What to be careful about; `label` goes before it."""

    text: str
    label: str = "warning"


@dataclass(frozen=True, slots=True)
class Item:
    """Something found.

    Attributes:
        severity: "info", "warning" or "error".
        text: what.
        name: by which it is asked for again; "" for none.
        more: what to do about it, and what that gains; "" for nothing.
    """

    severity: str
    text: str
    name: str = ""
    more: str = ""


Element = Line | Curve | Table | Note | Caution | Item


@dataclass(frozen=True, slots=True)
class Block:
    """What stands under one heading.

    Attributes:
        title: the heading; "" for none.
        elements: from top to bottom.
        close: whether it follows the block before it without a blank line.
    """

    title: str
    elements: tuple[Element, ...]
    close: bool = False


def block(title: str, *elements: Element | None, close: bool = False) -> Block | None:
    """A block of the elements that there are, or None of none."""
    found = tuple(one for one in elements if one is not None)
    return Block(title, found, close) if found else None

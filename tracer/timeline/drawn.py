"""One track before it is packed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracer.document.timeline import Track
from tracer.timeline.packing import packed

if TYPE_CHECKING:
    from tracer.arrays import I32, I64
    from tracer.timeline.merging import Merged

# Of what is drawn of any kind, a track gets this at least.
LEAST_ITEMS = 200


def share(most: int, part: int, whole: int) -> int:
    """How many of `most` things to draw a track gets that holds `part` of `whole`."""
    return max(LEAST_ITEMS, most * part // max(whole, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A track's columns, on the trace's clock.

    Attributes:
        kind, label, device, thread: whose it is; thread -1 for none.
        of: how many things of the trace it stands for.
        source: of each item the thing of the trace that its name is of.
        start_ns, end_ns, name: of each item.
        columns: what else there is.
    """

    kind: str
    label: str
    device: int | None
    thread: int
    of: int
    source: I64
    start_ns: I64
    end_ns: I64
    name: I64 | I32
    columns: dict[str, I64]

    @classmethod
    def of_items(cls, kind: str, label: str, found: Merged, rows: I64, name: I32, **whose: int) -> Drawn:
        """A track of things that may have been drawn as one.

        Args:
            kind, label: of the track.
            found: of the things given.
            rows: of each thing given, its row in the trace.
            name: of each row of the trace.
            whose: `device` or `thread`.
        """
        source = rows[found.rows]
        count = {"count": found.count} if len(found.rows) < len(rows) else {}
        return cls(
            kind=kind,
            label=label,
            device=whose.get("device"),
            thread=whose.get("thread", -1),
            of=len(rows),
            source=source,
            start_ns=found.start_ns,
            end_ns=found.end_ns,
            name=name[source],
            columns=count,
        )

    def with_columns(self, **columns: I64) -> Drawn:
        """The same with more columns."""
        return replace(self, columns={**self.columns, **columns})

    def track(self, origin_ns: int, place_of_name: I64) -> Track:
        """The track as the document has it."""
        columns = {
            "start": self.start_ns - origin_ns,
            "length": self.end_ns - self.start_ns,
            "name": place_of_name[self.name],
            **self.columns,
        }
        return Track(
            kind=self.kind,
            label=self.label,
            device=self.device,
            items=len(self.source),
            of=self.of,
            columns={name: packed(name, column) for name, column in columns.items()},
        )

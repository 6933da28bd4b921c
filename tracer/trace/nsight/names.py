"""Names as torch.profiler writes them, so that either file of one run tells the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int32
from tracer.trace.columns import MISSING
from tracer.trace.names import cut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.arrays import I32, I64

# CUPTI's codes of a copy's direction and of a memory's kind, as Nsight's exports number them; its last three copies are
# pages of managed memory on their way to whoever touched them.
DIRECTIONS = {
    1: "HtoD", 2: "DtoH", 3: "HtoA", 4: "AtoH", 5: "AtoA", 6: "AtoD", 7: "DtoA", 8: "DtoD", 9: "HtoH", 10: "PtoP",
    11: "Unified HtoD", 12: "Unified DtoH", 13: "Unified DtoD",
}  # fmt: skip
MEMORIES = {
    0: "Pageable", 1: "Pinned", 2: "Device", 3: "Array", 4: "Managed", 5: "Device Static", 6: "Managed Static",
}  # fmt: skip
UNKNOWN = "unknown"
# Nsight appends the version of the runtime that a call came with.
_VERSION = re.compile(r"_v\d{4,}$")


class Names:
    """Numbers names, in the order in which they are met."""

    def __init__(self, known: Mapping[int, str | None]) -> None:
        self._known = known
        self._numbers: dict[str, int] = {}

    @property
    def strings(self) -> list[str]:
        """The names so far; their numbers are indices into it."""
        return list(self._numbers)

    def number(self, name: str) -> int:
        """The number of a name."""
        return self._numbers.setdefault(cut(name), len(self._numbers))

    def of_ids(self, ids: I64) -> I32:
        """The numbers of names that are given by their ids in the export's table of strings."""
        distinct, code = coded(ids)
        return int32([self.number(self._known.get(key) or UNKNOWN) for key in distinct.tolist()])[code]

    def of_calls(self, ids: I64) -> I32:
        """The same for calls, without the runtime's version."""
        distinct, code = coded(ids)
        names = [_VERSION.sub("", self._known.get(key) or UNKNOWN) for key in distinct.tolist()]
        return int32([self.number(name) for name in names])[code]

    def of_copies(self, direction: I64, source: I64, target: I64) -> I32:
        """Names of copies: `Memcpy HtoD (Pageable -> Device)`."""
        width = max(MEMORIES) + 2
        direction = np.where(direction == MISSING, 0, direction)
        source, target = (np.where((kind < 0) | (kind >= width), width - 1, kind) for kind in (source, target))
        distinct, code = coded((direction * width + source) * width + target)
        names = []
        for key in distinct.tolist():
            rest, to = divmod(key, width)
            way, origin = divmod(rest, width)
            ends = f"{MEMORIES.get(origin, 'Unknown')} -> {MEMORIES.get(to, 'Unknown')}"
            names.append(f"Memcpy {DIRECTIONS.get(way, 'Unknown')} ({ends})")
        return int32([self.number(name) for name in names])[code]

    def of_fills(self, memory: I64) -> I32:
        """Names of fills: `Memset (Device)`."""
        distinct, code = coded(memory)
        return int32([self.number(f"Memset ({MEMORIES.get(key, 'Unknown')})") for key in distinct.tolist()])[code]

    def of_graphs(self, graph: I64) -> I32:
        """Names of whole graphs: `CUDA graph 7`."""
        distinct, code = coded(graph)
        names = ["CUDA graph" if key == MISSING else f"CUDA graph {key}" for key in distinct.tolist()]
        return int32([self.number(name) for name in names])[code]

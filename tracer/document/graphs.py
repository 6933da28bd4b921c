"""What the nodes of a captured graph are: as a recording writes it down, and as it is found in a trace."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

import msgspec

# Of a node: launched outside operators or modules; and not known, as places that look alike differ in it.
OUTSIDE, UNKNOWN = -1, -2
Place: TypeAlias = Annotated[int, msgspec.Meta(ge=UNKNOWN, lt=1 << 31)]
# Of modules by class and number, those that stand for one of a model's layers.
LAYER = re.compile(r"(?:Layer|Block)_\d+$")


class CapturedGraph(msgspec.Struct, frozen=True, kw_only=True):
    """A graph's nodes in the order in which they were captured, by names.

    Attributes:
        names: the different ones of kernels, operators and modules.
        nodes: of each node its kernel, copy or fill; the operator that launched it; the innermost module open then, by
            class and number (`Linear_3`); and the outermost that is a numbered layer. Indices into names; but for the
            first they may be OUTSIDE or UNKNOWN.
    """

    names: list[str]
    nodes: list[tuple[Place, Place, Place, Place]]

    @property
    def sound(self) -> bool:
        """Whether every node's names are among them: a file may claim anything."""
        return bool(self.nodes) and all(
            node[0] >= 0 and all(UNKNOWN <= place < len(self.names) for place in node) for node in self.nodes
        )

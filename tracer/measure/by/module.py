"""By the class of the module: `Linear`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracer.measure.open_spans import bare, keys_by_span, open_span, require_modules
from tracer.measure.ways import Keys, Way
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace

_NUMBERED = re.compile(r"(.*)_(\d+)")


def _keys(trace: Trace, work: Work) -> Keys:
    require_modules(trace, "module")
    row = open_span(trace.modules, work)
    return keys_by_span(trace, work, trace.modules, row, label=_class, without="outside modules")


def _class(name: str) -> str:
    """`nn.Module: Linear_3` as `Linear`."""
    numbered = _NUMBERED.fullmatch(bare(name))
    return bare(name) if numbered is None else numbered[1]


WAY = Way(
    keys=_keys,
    needs=Want.SUMMARY | Want.MODULES,
    meaning="module: the class of the innermost open on the launching thread at the launch.",
)

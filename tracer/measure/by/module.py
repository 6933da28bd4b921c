"""By the class of the module: `Linear`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.charge.graphs import name_replays
from tracer.measure.open_spans import Labels, class_of, keys_by_span, open_span, require_modules
from tracer.measure.ways import Keys, Way
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace


def _keys(trace: Trace, work: Work) -> Keys:
    require_modules(trace, "module")
    row, replays = open_span(trace.modules, work), name_replays(trace, work)
    labels = Labels(class_of, "modules", len(trace.modules) > 0, replays, replays.module)
    return keys_by_span(trace, work, trace.modules, row, labels)


WAY = Way(
    keys=_keys,
    needs=Want.SUMMARY | Want.MODULES,
    meaning="module: the class of the innermost open on the launching thread at the launch.",
)

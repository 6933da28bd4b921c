"""By the module that is a numbered layer or block, the outermost where they are nested: `LlamaDecoderLayer_3`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.charge.graphs import name_replays
from tracer.charge.modules_open import layer_modules
from tracer.measure.open_spans import Labels, bare, keys_by_span, open_span, require_modules
from tracer.measure.ways import Keys, Way
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace


def _keys(trace: Trace, work: Work) -> Keys:
    require_modules(trace, "layer")
    layers, replays = layer_modules(trace), name_replays(trace, work)
    row = open_span(layers, work)
    labels = Labels(bare, "layers", len(trace.modules) > 0, replays, replays.layer)
    return keys_by_span(trace, work, layers, row, labels)


WAY = Way(
    keys=_keys,
    needs=Want.SUMMARY | Want.MODULES,
    meaning="layer: the outermost numbered layer or block open on the launching thread at the launch.",
)
